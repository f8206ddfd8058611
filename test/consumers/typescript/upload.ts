import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import express from 'express'
import {
  BitsError,
  type BitsRequestInfo,
  type BitsUploadOptions,
  bitsUpload,
  MemoryStorage,
  type StorageAdapter,
  type UploadedFile,
} from 'express-bits-upload'
import { type UploadOptions, type UploadProgress, uploadFile } from 'express-bits-upload/client'
import { traceUploads } from 'express-bits-upload/opentelemetry'

const sent = randomBytes(300_000)
await writeFile('sent.bin', sent)

const storage: StorageAdapter = new MemoryStorage()
const options: BitsUploadOptions = {
  directory: 'uploads',
  hostId: process.env.HOST_ID,
  authorize(req, destination) {
    if (req.get('x-who') !== 'me') throw new BitsError('access-denied', `Not ${destination}.`)
    return true
  },
}
const tracing = traceUploads()
const bits = bitsUpload(options)
const published: UploadedFile[] = []
bits.on('uploaded', (file) => published.push(file))

const packets: (BitsRequestInfo['packet'] | undefined)[] = []
const app = express()
app.use((req, res, next) => {
  res.on('finish', () => packets.push(req.bits?.packet))
  next()
})
app.use('/uploads', bits)
app.use('/memory', bitsUpload({ storage }))
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const seen: UploadProgress[] = []
const upload: UploadOptions = {
  fragmentSize: 65_536,
  headers: { 'x-who': 'me' },
  replyTo: process.env.REPLY_TO,
  onProgress: (progress) => seen.push(progress),
}
const { bytes } = await uploadFile('sent.bin', `http://127.0.0.1:${port}/uploads/received.bin`, upload)
assert.equal(bytes, sent.length)
assert.deepEqual(await readFile('uploads/received.bin'), sent)
assert.equal(published[0]?.size, sent.length)
assert.equal(seen.at(-1)?.acknowledged, sent.length)
assert.equal(packets[0], 'Create-Session')

tracing.close()
server.close()
await bits.close()
console.log('TypeScript to ESM: uploaded')
