// An app may load the package twice, by import and by a dependency's require(). Neither copy may modify the requests of
// the other.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import express from 'express'
import * as esm from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'

const cjs = createRequire(import.meta.url)('express-bits-upload')
assert.notEqual(esm.bitsUpload, cjs.bitsUpload)

const sent = randomBytes(100_000)
await writeFile('sent.bin', sent)
const mounts = {
  '/esm': esm.bitsUpload({ directory: 'by-esm' }),
  '/cjs': cjs.bitsUpload({ directory: 'by-cjs' }),
}
const app = express()
for (const [path, bits] of Object.entries(mounts)) app.use(path, bits)
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()

for (const path of Object.keys(mounts)) {
  await uploadFile('sent.bin', `http://127.0.0.1:${port}${path}/file.bin`, { fragmentSize: 20_000 })
  assert.deepEqual(await readFile(`by-${path.slice(1)}/file.bin`), sent)
  assert.match(await ping(path), /^HTTP\/1\.1 200 .*BITS-Packet-Type: Ack/is)
}
server.close()
for (const bits of Object.values(mounts)) await bits.close()
console.log('ESM and CJS in one process: uploaded')

/** Sends a Ping byte by byte. Returns everything that the server sent. */
async function ping(path) {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  const head = `BITS_POST ${path}/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n`
  let answer = ''
  socket.on('data', (data) => {
    answer += data
  })
  const closed = once(socket, 'close')
  for (const byte of head) {
    socket.write(byte)
    await setImmediate()
  }
  await closed
  return answer
}
