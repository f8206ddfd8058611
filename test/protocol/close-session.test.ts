import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession, packet } from '../support/raw.js'
import { FailingStorage } from '../support/storages.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)
const UNKNOWN_ID = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'
const NOT_FOUND = '0x8020001F'

test('MC-BUP 2.2.9: Close-Session ends the session, and the file stays', async () => {
  const root = await directory()
  const running = await start({ directory: root })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  expect(await running.bits.sessions()).toMatchObject([{ state: 'published', received: 3000, total: 3000 }])
  expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
  expect(await running.bits.sessions()).toEqual([])
  expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
})

test('D10: a repeated Close-Session gets 200 again, and ends nothing twice', async () => {
  const storage = new MemoryStorage()
  const running = await start({ storage })
  const cancelled: unknown[] = []
  running.bits.on('cancelled', (session) => cancelled.push(session))
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE, 0, 9))
  for (let n = 0; n < 3; n++) {
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
  }
  expect(cancelled).toHaveLength(1)
})

test('D10: a Fragment after Close-Session finds no session', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage, overwrite: true }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  await connection.exchange(closeSession(PATH, id))
  const ack = await connection.exchange(fragment(PATH, id, FILE))
  expectAck(ack, { status: 500, error: NOT_FOUND, session: id, offset: 0 })
  expect(storage.bytes).toBe(3000)
})

describe('D3: Close-Session before the last byte', () => {
  test('gets 200, publishes nothing and leaves nothing behind', async () => {
    const root = await directory()
    const connection = await connect(await start({ directory: root }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 2998))
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(await readdir(root)).toEqual(['BITS-Sessions'])
    const left = await sessionFiles(root)
    expect(left.filter((name) => !name.endsWith('.json'))).toEqual([])
  })

  test('publishes nothing if the first fragment was refused as too large', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage, maxUploadSize: 2999 }))
    const id = await openSession(connection, PATH)
    expect((await connection.exchange(fragment(PATH, id, FILE, 0, 9))).status).toBe(500)
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(storage.files.size).toBe(0)
  })
})

describe('D16: an empty file', () => {
  const EMPTY = Buffer.alloc(0)
  const empty = (id: string, range: string) =>
    packet('Fragment', PATH, { 'BITS-Session-Id': id, 'Content-Range': range })

  test('is published by Create and Close without a Fragment', async () => {
    const root = await directory()
    const running = await start({ directory: root })
    const uploaded: unknown[] = []
    running.bits.on('uploaded', (file) => uploaded.push(file))
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(await readFile(join(root, 'file.bin'))).toEqual(EMPTY)
    expect(uploaded).toMatchObject([{ destination: 'file.bin', size: 0 }])
  })

  test('replaces a file with overwrite, also without a Fragment', async () => {
    const storage = new MemoryStorage()
    storage.files.set('file.bin', Buffer.from('old'))
    const connection = await connect(await start({ storage, overwrite: true }))
    const id = await openSession(connection, PATH)
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(storage.files.get('file.bin')).toEqual(EMPTY)
  })

  test.each(['bytes 0--1/0', 'bytes */0', 'BYTES */0'])('is complete with "%s"', async (range) => {
    const root = await directory()
    const running = await start({ directory: root })
    const uploaded: unknown[] = []
    running.bits.on('uploaded', (file) => uploaded.push(file))
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    expectAck(await connection.exchange(empty(id, range)), { status: 200, session: id, offset: 0 })
    expect(await readFile(join(root, 'file.bin'))).toEqual(EMPTY)
    expectAck(await connection.exchange(empty(id, range)), { status: 200, session: id, offset: 0 })
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(uploaded).toHaveLength(1)
  })

  test('that turns out not to be empty is refused, and not published', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 9))
    const ack = await connection.exchange(empty(id, 'bytes */0'))
    expectAck(ack, { status: 400, error: '0x80070057', session: id, offset: 10 })
    expect(storage.files.size).toBe(0)
  })
})

test('D7: Close-Session repeats a publication that failed', async () => {
  const storage = new FailingStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  storage.failure = { at: 'publish', error: new Error('Busy.') }
  expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(500)
  const refused = await connection.exchange(closeSession(PATH, id))
  expectAck(refused, { status: 500, error: '0x80004005', session: id })
  storage.failure = undefined
  expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
  expect(storage.files.get('file.bin')).toEqual(FILE)
})

test('MC-BUP 3.2.5.2.7: Close-Session gets 404 if another program removed the data of the upload', async () => {
  const root = await directory()
  const connection = await connect(await start({ directory: root }))
  const id = await openSession(connection, PATH)
  const folder = join(root, 'BITS-Sessions')
  for (const name of await readdir(folder)) if (name.endsWith('.part')) await rm(join(folder, name))
  const ack = await connection.exchange(closeSession(PATH, id))
  expectAck(ack, { status: 404, error: '0x80070002', session: id })
  await expectUsable(connection)
})

test('D4: a published file that was moved away before Close-Session is not an error', async () => {
  const root = await directory()
  const connection = await connect(await start({ directory: root }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  await rm(join(root, 'file.bin'))
  expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
})

test('D11: Close-Session does not overwrite a file that has appeared in the meantime', async () => {
  const root = await directory()
  const connection = await connect(await start({ directory: root }))
  const id = await openSession(connection, PATH)
  await writeFile(join(root, 'file.bin'), 'mine')
  const ack = await connection.exchange(closeSession(PATH, id))
  expectAck(ack, { status: 403, error: '0x80070005', session: id })
  expect(await readFile(join(root, 'file.bin'), 'utf8')).toBe('mine')
})

test('MC-BUP 3.2.5.2.3: Close-Session of an unknown session gets 500 + 0x8020001F', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  const ack = await connection.exchange(closeSession(PATH, UNKNOWN_ID))
  expectAck(ack, { status: 500, error: NOT_FOUND, session: UNKNOWN_ID })
  await expectUsable(connection)
})

test('MC-BUP 2.2.8: Close-Session with a body, or without a session id, is malformed and ends nothing', async () => {
  const running = await start({ storage: new MemoryStorage() })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  const withBody = packet('Close-Session', PATH, { 'BITS-Session-Id': id }, Buffer.from('body'))
  expectAck(await connection.exchange(withBody), { status: 400, error: '0x80070057', session: id })
  expectAck(await connection.exchange(packet('Close-Session', PATH)), { status: 400, error: '0x80070057' })
  expect(await running.bits.sessions()).toHaveLength(1)
})
