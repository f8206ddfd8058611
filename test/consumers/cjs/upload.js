const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { readFile, writeFile } = require('node:fs/promises')
const express = require('express')
const { bitsUpload } = require('express-bits-upload')
const { uploadFile } = require('express-bits-upload/client')

async function main() {
  const sent = randomBytes(300_000)
  await writeFile('sent.bin', sent)

  const bits = bitsUpload({ directory: 'uploads' })
  const app = express()
  app.use('/uploads', bits)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}/uploads/received.bin`

  const { bytes } = await uploadFile('sent.bin', url, { fragmentSize: 65_536 })
  assert.equal(bytes, sent.length)
  assert.deepEqual(await readFile('uploads/received.bin'), sent)

  server.close()
  await bits.close()
  console.log('CJS, Express 4.18.0: uploaded')
}

void main()
