import assert = require('node:assert/strict')

import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'

import express = require('express')

import { type BitsUpload, bitsUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'

async function main(): Promise<void> {
  await writeFile('sent.txt', 'by require()')
  const bits: BitsUpload = bitsUpload({ directory: 'uploads' })
  const server = express().use('/uploads', bits).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await uploadFile('sent.txt', `http://127.0.0.1:${port}/uploads/received.txt`)
  assert.equal(await readFile('uploads/received.txt', 'utf8'), 'by require()')
  server.close()
  await bits.close()
  console.log('TypeScript to CJS: uploaded')
}

void main()
