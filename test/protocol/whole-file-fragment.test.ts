import { expect, test } from '@jest/globals'
import { BitsError, MemoryStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession } from '../support/raw.js'

const { start, connect } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)

/** A storage that loses the bytes of the fragment. */
class ForgetfulStorage extends MemoryStorage {
  override append = async (): Promise<number> => {
    throw Object.assign(new Error('No space'), { code: 'ENOSPC' })
  }
}

test('D16: a file whose only fragment could not be stored is not published as an empty file', async () => {
  const storage = new ForgetfulStorage()
  const running = await start({ storage })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(500)
  expect(await running.bits.sessions()).toMatchObject([{ state: 'receiving', received: 0, total: 3000 }])
  expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
  expect(storage.files.size).toBe(0)
})

test('a file that arrived in one fragment, and that the application rejected, is delivered by Close-Session', async () => {
  let calls = 0
  const storage = new MemoryStorage()
  const running = await start({
    storage,
    onUpload: () => {
      if (++calls === 1) throw new BitsError({ status: 500 }, 'Not now.')
    },
  })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(500)
  expect(await running.bits.sessions()).toMatchObject([{ state: 'receiving', received: 3000, total: 3000 }])
  expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
  expect(storage.files.get('file.bin')).toEqual(FILE)
})

test('the next fragment cannot change the total of a refused single-fragment file', async () => {
  const running = await start({ storage: new ForgetfulStorage() })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(500)
  expect((await connection.exchange(fragment(PATH, id, bytes(10)))).status).toBe(400)
})
