import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import express from 'express'
import { BitsError, bitsUpload } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'

const sent = randomBytes(300_000)
await writeFile('sent.bin', sent)

const bits = bitsUpload({ directory: 'uploads' })
const app = express()
app.use('/uploads', bits)
app.get('/', (_req, res) => res.send('hello'))
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${server.address().port}`

const { bytes } = await uploadFile('sent.bin', `${origin}/uploads/received.bin`, { fragmentSize: 65_536 })
assert.equal(bytes, sent.length)
assert.deepEqual(await readFile('uploads/received.bin'), sent)
assert.equal(await (await fetch(origin, { headers: { connection: 'close' } })).text(), 'hello')
assert.equal(new BitsError('access-denied', 'No.').status, 403)

server.close()
await bits.close()
console.log('ESM: uploaded')
