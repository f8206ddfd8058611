import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { MemoryStorage, type SessionInfo } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, fragment, openSession, packet } from '../support/raw.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)
const UNKNOWN_ID = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'
const NOT_FOUND = '0x8020001F'

test('MC-BUP 3.2.5.2.8: Cancel-Session removes what was staged', async () => {
  const root = await directory()
  const running = await start({ directory: root })
  const cancelled: SessionInfo[] = []
  running.bits.on('cancelled', (session) => cancelled.push(session))
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE, 0, 999))
  expectAck(await connection.exchange(cancelSession(PATH, id)), { status: 200, session: id })
  expect(await readdir(root)).toEqual(['BITS-Sessions'])
  const left = await sessionFiles(root)
  expect(left.filter((name) => !name.endsWith('.json'))).toEqual([])
  expect(await running.bits.sessions()).toEqual([])
  expect(cancelled).toMatchObject([{ destination: 'file.bin', received: 1000, total: 3000 }])
})

test('D8: Cancel-Session after publication keeps the file, and does not count as a cancelled upload', async () => {
  const root = await directory()
  const running = await start({ directory: root })
  const cancelled: SessionInfo[] = []
  running.bits.on('cancelled', (session) => cancelled.push(session))
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  expectAck(await connection.exchange(cancelSession(PATH, id)), { status: 200, session: id })
  expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
  expect(await running.bits.sessions()).toEqual([])
  expect(cancelled).toEqual([])
})

test('D10: a repeated Cancel-Session gets 200 again; Fragments and Close-Session find no session', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE, 0, 9))
  for (let n = 0; n < 3; n++) {
    expectAck(await connection.exchange(cancelSession(PATH, id)), { status: 200, session: id })
  }
  const again = await connection.exchange(fragment(PATH, id, FILE, 10))
  expectAck(again, { status: 500, error: NOT_FOUND, session: id, offset: 0 })
  const closed = await connection.exchange(closeSession(PATH, id))
  expectAck(closed, { status: 500, error: NOT_FOUND, session: id })
  expect(storage.bytes).toBe(0)
  await expectUsable(connection)
})

test('D10: Cancel-Session of a closed session finds no session, and the file stays', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  await connection.exchange(closeSession(PATH, id))
  const ack = await connection.exchange(cancelSession(PATH, id))
  expectAck(ack, { status: 500, error: NOT_FOUND, session: id })
  expect(storage.files.get('file.bin')).toEqual(FILE)
})

test('a cancelled upload can be started again', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, bytes(10), 0, 5))
  await connection.exchange(cancelSession(PATH, id))
  const next = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, next, FILE))
  expect(storage.files.get('file.bin')).toEqual(FILE)
})

test('MC-BUP 3.2.5.2.3: Cancel-Session of an unknown session gets 500 + 0x8020001F', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  for (const unknown of [UNKNOWN_ID, 'nonsense', '../../etc/passwd']) {
    const ack = await connection.exchange(cancelSession(PATH, unknown))
    expectAck(ack, { status: 500, error: NOT_FOUND, session: unknown })
  }
  await expectUsable(connection)
})

test('MC-BUP 2.2.10: Cancel-Session with a body, or without a session id, is malformed and ends nothing', async () => {
  const running = await start({ storage: new MemoryStorage() })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  const withBody = packet('Cancel-Session', PATH, { 'BITS-Session-Id': id }, Buffer.from('body'))
  expectAck(await connection.exchange(withBody), { status: 400, error: '0x80070057', session: id })
  expectAck(await connection.exchange(packet('Cancel-Session', PATH)), { status: 400, error: '0x80070057' })
  expect(await running.bits.sessions()).toHaveLength(1)
})
