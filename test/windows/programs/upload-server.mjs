// An upload server that Windows' Node runs, from the built package:
//   node upload-server.mjs '{ "port": 0, "mounts": { "/uploads": { "directory": "C:\\uploads" } } }' A mount takes the options of bitsUpload(). In addition, "files" has options of its FileStorage, "shared" is an option of its FileSessionStore, and "reply" sends a reply to each upload. Prints "port N"; the log goes to standard error. GET /lock?path=... opens a file as virus scanners do, so that no other program can use it; GET /unlock closes it again.
import { closeSync, constants, openSync } from 'node:fs'
import { createServer } from 'node:http'
import express from 'express'
import { bitsUpload, FileSessionStore, FileStorage } from 'express-bits-upload'

const { port, mounts } = JSON.parse(process.argv[2])
/** The flag UV_FS_O_EXLOCK of libuv: a sharing mode of 0. Node does not document it. */
const EXCLUSIVE = 0x10000000
const locks = new Map()
const log = (level) => (message) => process.stderr.write(`${level}: ${message}\n`)
const logger = { debug: () => {}, info: log('info'), warn: log('warn'), error: log('error') }

const app = express()
for (const [path, mount] of Object.entries(mounts)) {
  const bits = bitsUpload(optionsOf(mount))
  bits.on('uploaded', ({ path: file }) => process.stderr.write(`uploaded: ${file}\n`))
  app.use(path, bits)
}

function optionsOf({ directory, files, shared, reply, ...options }) {
  const onUpload = ({ destination, path }) => `${destination} is at ${path}`
  return {
    logger,
    ...(files ? { storage: new FileStorage({ directory, ...files }) } : { directory }),
    ...(shared && { sessionStore: new FileSessionStore({ directory, shared }) }),
    ...(reply && { onUpload }),
    ...options,
  }
}

app.get('/lock', ({ query }, res) => {
  try {
    locks.set(query.path, openSync(query.path, constants.O_RDWR | EXCLUSIVE))
    res.send('locked')
  } catch (error) {
    res.send(error.code)
  }
})
app.get('/unlock', ({ query }, res) => {
  closeSync(locks.get(query.path))
  locks.delete(query.path)
  res.send('unlocked')
})

const server = createServer(app)
server.listen(port, '127.0.0.1', () => process.stdout.write(`port ${server.address().port}\n`))
