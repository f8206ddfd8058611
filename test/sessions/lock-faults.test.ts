import { expect, test } from '@jest/globals'
import { FileSessionStore } from 'express-bits-upload'
import { nodeFileSystem } from '../../lib/util/fs.js'
import { bytes } from '../support/bytes.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { systemError } from '../support/intercepted-fs.js'
import { closeSession, createSession, fragment, openSession } from '../support/raw.js'

const { directory: newDirectory, start, connect } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(1000)
const REMEDY =
  /The lock ".*" cannot be renewed, because this process may not set the times of its files \(EPERM of utimes?\)\. If the directory is an SMB share, mount it with the uid/

test('an SMB share that does not allow setting file times is reported with a remedy at the first packet', async () => {
  const directory = await newDirectory()
  let mayNot = true
  const utimes: typeof nodeFileSystem.utimes = async (...args) => {
    if (mayNot) throw systemError('EPERM', 'utime')
    await nodeFileSystem.utimes(...args)
  }
  const sessionStore = new FileSessionStore({ directory, shared: true }, { utimes })
  const running = await start({ directory, sessionStore })
  const connection = await connect(running)
  const ack = await connection.exchange(createSession(PATH))
  expect([ack.status, ack.header('BITS-Error-Code')]).toEqual([500, '0x80004005'])
  expect(running.logger.lines.join('\n')).toMatch(REMEDY)
  expect(await sessionFiles(directory)).toEqual([])

  // The share has been remounted with the right options.
  mayNot = false
  const other = await start({ directory, sessionStore: new FileSessionStore({ directory, shared: true }) })
  const again = await connect(other)
  const id = await openSession(again, PATH)
  expect((await again.exchange(fragment(PATH, id, FILE))).status).toBe(200)
  expect((await again.exchange(closeSession(PATH, id))).status).toBe(200)
})
