import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment, openSession, packet } from '../support/raw.js'
import { untilHeld } from '../support/serve.js'

const { start, connect, directory } = fixtures()

const INVALID_ARGUMENT = '0x80070057'
const PATH = '/uploads/file.bin'
const FILE = bytes(3000)

test('MC-BUP 2.2.7.2: each Fragment is acknowledged with the offset of the next byte', async () => {
  const root = await directory()
  const connection = await connect(await start({ directory: root }))
  const id = await openSession(connection, PATH)
  for (const [first, last] of [
    [0, 127],
    [128, 212],
    [213, 213],
    [214, 2999],
  ] as const) {
    const ack = await connection.exchange(fragment(PATH, id, FILE, first, last))
    expectAck(ack, { status: 200, session: id, offset: last + 1 })
  }
  expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
})

test('D4: the file appears with the last fragment, before its Ack', async () => {
  const root = await directory()
  const connection = await connect(await start({ directory: root }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE, 0, 2998))
  expect(await readdir(root)).toEqual(['BITS-Sessions'])
  await connection.exchange(fragment(PATH, id, FILE, 2999, 2999))
  expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
})

describe('D2: overlap', () => {
  test('an overlapping fragment writes only its new bytes (Win32 Fragment: 0-100, then 50-150)', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 100))
    const other = Buffer.from(FILE)
    other.fill(0xee, 50, 101)
    const ack = await connection.exchange(fragment(PATH, id, other, 50, 150))
    expectAck(ack, { status: 200, session: id, offset: 151 })
    await connection.exchange(fragment(PATH, id, FILE, 151))
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('a fragment that was already received gets 200 with the offset, and changes nothing', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    const ack = await connection.exchange(fragment(PATH, id, Buffer.alloc(3000, 0xee), 200, 999))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
    await connection.exchange(fragment(PATH, id, FILE, 1000))
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('an overlap larger than one chunk of the connection is skipped exactly', async () => {
    const file = bytes(700_000)
    const root = await directory()
    const connection = await connect(await start({ directory: root }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, file, 0, 400_000))
    const ack = await connection.exchange(fragment(PATH, id, file, 1, 699_999))
    expectAck(ack, { status: 200, session: id, offset: 700_000 })
    expect((await readFile(join(root, 'file.bin'))).equals(file)).toBe(true)
  })
})

test('D1: a gap gets 416 with the next offset and without error headers', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  const first = await connection.exchange(fragment(PATH, id, FILE, 1, 99))
  expectAck(first, { status: 416, session: id, offset: 0 })
  await connection.exchange(fragment(PATH, id, FILE, 0, 99))
  const second = await connection.exchange(fragment(PATH, id, FILE, 101))
  expectAck(second, { status: 416, session: id, offset: 100 })
  await connection.exchange(fragment(PATH, id, FILE, 100))
  expect(storage.files.get('file.bin')).toEqual(FILE)
})

describe('MC-BUP 3.2.5.2.6: an invalid Content-Range gets 400, with the offset to continue at', () => {
  const wrong: [what: string, headers: Record<string, string | undefined>][] = [
    ['absent', { 'Content-Range': undefined }],
    ['empty', { 'Content-Range': '' }],
    ['of another unit', { 'Content-Range': 'lines 10-19/3000' }],
    ['without a unit', { 'Content-Range': '10-19/3000' }],
    ['without a total', { 'Content-Range': 'bytes 10-19' }],
    ['of an unknown total', { 'Content-Range': 'bytes 10-19/*' }],
    ['of an unknown range', { 'Content-Range': 'bytes */3000' }],
    ['with its last before its first', { 'Content-Range': 'bytes 19-10/3000' }],
    ['beyond its total', { 'Content-Range': 'bytes 2990-2999/2999' }],
    ['negative', { 'Content-Range': 'bytes -10-19/3000' }],
    ['hexadecimal', { 'Content-Range': 'bytes 0x0-0x9/3000' }],
    ['of a fraction', { 'Content-Range': 'bytes 10.0-19.0/3000' }],
    ['shorter than the body', { 'Content-Range': 'bytes 10-18/3000' }],
    ['longer than the body', { 'Content-Range': 'bytes 10-20/3000' }],
    ['of an empty file with a body', { 'Content-Range': 'bytes 0--1/0' }],
    ['sent twice', { 'Content-Range': 'bytes 10-19/3000', 'content-range': 'bytes 10-19/3000' }],
  ]

  test.each(wrong)('%s', async (_, headers) => {
    const storage = new MemoryStorage()
    const running = await start({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 9))
    const bad = packet('Fragment', PATH, { 'BITS-Session-Id': id, ...headers }, FILE.subarray(10, 20))
    const ack = await connection.exchange(bad)
    expectAck(ack, { status: 400, error: INVALID_ARGUMENT, session: id, offset: 10 })
    await expectUsable(connection)
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 10)), {
      status: 200,
      session: id,
      offset: 3000,
    })
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('the unit is matched in any case (Win32 Fragment writes "Bytes")', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const id = await openSession(connection, PATH)
    for (const [range, offset] of [
      ['Bytes 0-9/3000', 10],
      ['BYTES  10-19/3000', 20],
    ] as const) {
      const headers = { 'BITS-Session-Id': id, 'Content-Range': range }
      const ack = await connection.exchange(packet('Fragment', PATH, headers, FILE.subarray(0, 10)))
      expectAck(ack, { status: 200, session: id, offset })
    }
  })
})

test('MC-BUP 2.2.1.2: a different total gets 400, and the upload continues with the first', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE, 0, 99))
  for (const other of [FILE.subarray(0, 2999), bytes(3001)]) {
    const ack = await connection.exchange(fragment(PATH, id, other, 100, 199))
    expectAck(ack, { status: 400, error: INVALID_ARGUMENT, session: id, offset: 100 })
  }
  await connection.exchange(fragment(PATH, id, FILE, 100))
  expect(storage.files.get('file.bin')).toEqual(FILE)
})

test('MC-BUP note 12: identity is the only content coding', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  const coded = (coding: string) =>
    packet(
      'Fragment',
      PATH,
      { 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-2999/3000', 'Content-Encoding': coding },
      FILE,
    )
  const refused = await connection.exchange(coded('gzip'))
  expectAck(refused, { status: 400, error: INVALID_ARGUMENT, session: id, offset: 0 })
  expectAck(await connection.exchange(coded('Identity')), { status: 200, session: id, offset: 3000 })
})

test('the fragments of two sessions interleave on one connection without mixing', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const other = bytes(2000)
  const first = await openSession(connection, '/uploads/1')
  const second = await openSession(connection, '/uploads/2')
  await connection.exchange(fragment('/uploads/1', first, FILE, 0, 1499))
  await connection.exchange(fragment('/uploads/2', second, other, 0, 999))
  await connection.exchange(fragment('/uploads/1', first, FILE, 1500))
  await connection.exchange(fragment('/uploads/2', second, other, 1000))
  expect(storage.files.get('1')).toEqual(FILE)
  expect(storage.files.get('2')).toEqual(other)
})

test('packets that arrive together, each before the previous Ack, are answered in order', async () => {
  const storage = new MemoryStorage()
  const connection = await connect(await start({ storage }))
  const id = await openSession(connection, PATH)
  connection.write(
    Buffer.concat([
      fragment(PATH, id, FILE, 0, 1499),
      packet('Ping', PATH),
      createSession('/uploads/other'),
      packet('Nonsense', PATH),
    ]),
  )
  expectAck(await connection.ack(), { status: 200, session: id, offset: 1500 })
  expectAck(await connection.ack(), { status: 200 })
  expect((await connection.ack()).header('BITS-Protocol')).toBeDefined()
  expectAck(await connection.ack(), { status: 400, error: INVALID_ARGUMENT })
})

test('D30: the bytes received before a connection broke are kept', async () => {
  const storage = new MemoryStorage()
  const running = await start({ storage })
  const broken = await connect(running)
  const id = await openSession(broken, PATH)
  broken.write(fragment(PATH, id, FILE).subarray(0, -1000))
  await untilHeld(running, 2000)
  broken.reset()
  const connection = await connect(running)
  const probe = await connection.exchange(fragment(PATH, id, FILE, 2999))
  expectAck(probe, { status: 416, session: id, offset: 2000 })
  expectAck(await connection.exchange(fragment(PATH, id, FILE, 2000)), {
    status: 200,
    session: id,
    offset: 3000,
  })
  expect(storage.files.get('file.bin')).toEqual(FILE)
})

test('D2 D30: only the new bytes of an interrupted overlapping fragment are kept', async () => {
  const storage = new MemoryStorage()
  const running = await start({ storage })
  const broken = await connect(running)
  const id = await openSession(broken, PATH)
  await broken.exchange(fragment(PATH, id, FILE, 0, 999))
  broken.write(fragment(PATH, id, FILE, 500).subarray(0, -1000))
  await untilHeld(running, 2000)
  broken.end()
  await broken.closed()
  const connection = await connect(running)
  const probe = await connection.exchange(fragment(PATH, id, FILE, 2999))
  expectAck(probe, { status: 416, session: id, offset: 2000 })
  await connection.exchange(fragment(PATH, id, FILE, 2000))
  expect(storage.files.get('file.bin')).toEqual(FILE)
})
