import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { type BitsUpload, bitsUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'

await writeFile('sent.txt', 'by Express 4')
const bits: BitsUpload = bitsUpload({
  directory: 'uploads',
  user: (req) => req.get('x-who'),
})
const app = express()
app.use((req, _res, next) => {
  if (req.bits) console.log(req.bits.packet)
  next()
})
app.use('/uploads', bits)
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
await uploadFile('sent.txt', `http://127.0.0.1:${port}/uploads/received.txt`)
assert.equal(await readFile('uploads/received.txt', 'utf8'), 'by Express 4')
server.close()
await bits.close()
console.log('TypeScript 5.4, Express 4: uploaded')
