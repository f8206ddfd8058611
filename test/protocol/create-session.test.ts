import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileStorage, MemoryStorage } from 'express-bits-upload'
import { expectAck, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { createSession, openSession, PROTOCOL, packet } from '../support/raw.js'

const { start, connect, directory } = fixtures()

const INVALID_ARGUMENT = '0x80070057'
const OTHER_PROTOCOL = '{11111111-2222-3333-4444-555555555555}'

test('D17 D21 MC-BUP 2.2.3: Create-Session is answered 200 with protocol, coding and a new id', async () => {
  const running = await start({ storage: new MemoryStorage() })
  const connection = await connect(running)
  const ack = await connection.exchange(createSession('/uploads/a.bin'))
  const id = ack.header('BITS-Session-Id') ?? ''
  expectAck(ack, { status: 200, session: id })
  expect(id).toMatch(/^\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}$/)
  expect(ack.header('BITS-Protocol')).toBe(PROTOCOL)
  expect(ack.header('Accept-Encoding')).toBe('identity')
  expect(ack.header('BITS-Host-Id')).toBeUndefined()
  expect(await running.bits.sessions()).toMatchObject([
    { destination: 'a.bin', path: '/uploads/a.bin', state: 'receiving', received: 0 },
  ])
})

test('MC-BUP 3.2.5.2.2: a repeated Create-Session creates another session', async () => {
  const running = await start({ storage: new MemoryStorage() })
  const connection = await connect(running)
  const first = await openSession(connection, '/uploads/a.bin')
  expect(await openSession(connection, '/uploads/a.bin')).not.toBe(first)
  expect(await running.bits.sessions()).toHaveLength(2)
})

test('MC-BUP 2.2.3.2: a session id on Create-Session is ignored, and not used for the new session', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  const first = await openSession(connection, '/uploads/a.bin')
  const again = packet('Create-Session', '/uploads/a.bin', {
    'BITS-Supported-Protocols': PROTOCOL,
    'BITS-Session-Id': first,
  })
  const ack = await connection.exchange(again)
  expect(ack.status).toBe(200)
  expect(ack.header('BITS-Session-Id')).toMatch(/^\{.{36}\}$/)
  expect(ack.header('BITS-Session-Id')).not.toBe(first)
})

test('MC-BUP note 3: the server ignores Content-Name, whatever its value', async () => {
  const connection = await connect(await start({ directory: await directory() }))
  const named = packet('Create-Session', '/uploads/a.bin', {
    'BITS-Supported-Protocols': PROTOCOL,
    'Content-Name': '..\\..\\evil:name?.exe',
  })
  expect((await connection.exchange(named)).status).toBe(200)
})

describe('D20: BITS-Supported-Protocols', () => {
  const others = (count: number) => Array.from({ length: count }, () => OTHER_PROTOCOL)
  const accepted: [what: string, list: string][] = [
    ['separated by spaces', `${OTHER_PROTOCOL} ${PROTOCOL}`],
    ['separated by commas', `${OTHER_PROTOCOL},${PROTOCOL}`],
    ['separated by both', `${OTHER_PROTOCOL} ,  ${PROTOCOL},`],
    ['in upper case', PROTOCOL.toUpperCase()],
    ['without braces', PROTOCOL.slice(1, -1)],
    ['with ours as the 100th of 4,000 bytes', [...others(99), PROTOCOL].join(' ')],
  ]
  const refused: [what: string, list: string | undefined][] = [
    ['that names others only', OTHER_PROTOCOL],
    ['with ours as the 101st, beyond what is read', [...others(100), PROTOCOL].join(' ')],
    ['that is empty', ''],
    ['that is missing', undefined],
    ['that is not a list of GUIDs', 'bits'],
  ]

  test.each(accepted)('%s is accepted', async (_, list) => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const create = packet('Create-Session', '/uploads/a', { 'BITS-Supported-Protocols': list })
    const ack = await connection.exchange(create)
    expect(ack.status).toBe(200)
    expect(ack.header('BITS-Protocol')).toBe(PROTOCOL)
  })

  test.each(refused)('%s is refused', async (_, list) => {
    const running = await start({ storage: new MemoryStorage() })
    const connection = await connect(running)
    const create = packet('Create-Session', '/uploads/a', { 'BITS-Supported-Protocols': list })
    const ack = await connection.exchange(create)
    expectAck(ack, { status: 400, error: INVALID_ARGUMENT })
    expect(ack.header('BITS-Protocol')).toBeUndefined()
    expect(await running.bits.sessions()).toEqual([])
    await expectUsable(connection)
  })
})

test('D11: an existing destination gets 403 at Create-Session, and no session is created', async () => {
  const root = await directory()
  await writeFile(join(root, 'a.bin'), 'there')
  const running = await start({ directory: root })
  const connection = await connect(running)
  expectAck(await connection.exchange(createSession('/uploads/a.bin')), { status: 403, error: '0x80070005' })
  expect(await running.bits.sessions()).toEqual([])
  await expectUsable(connection)
})

test('D11: with overwrite, an existing destination is accepted', async () => {
  const root = await directory()
  await writeFile(join(root, 'a.bin'), 'there')
  const connection = await connect(await start({ directory: root, overwrite: true }))
  expect((await connection.exchange(createSession('/uploads/a.bin'))).status).toBe(200)
})

test('MC-BUP 2.2.1.2: a destination that is a directory gets 400', async () => {
  const root = await directory()
  await mkdir(join(root, 'folder'))
  const connection = await connect(await start({ directory: root, overwrite: true }))
  for (const path of ['/uploads', '/uploads/', '/uploads/folder', '/uploads/folder/', '/uploads/new/']) {
    const ack = await connection.exchange(createSession(path))
    expectAck(ack, { status: 400, error: INVALID_ARGUMENT })
  }
  await expectUsable(connection)
})

test('Win32 Ack for Create-Session: a missing parent directory gets 404 with createDirectories: false', async () => {
  const storage = new FileStorage({ directory: await directory(), createDirectories: false })
  const connection = await connect(await start({ storage }))
  const ack = await connection.exchange(createSession('/uploads/folder/a.bin'))
  expectAck(ack, { status: 404, error: '0x80070003' })
  expect((await connection.exchange(createSession('/uploads/a.bin'))).status).toBe(200)
})

describe('D33: destinations that could lead elsewhere get 403 + 0x80070005', () => {
  const paths = [
    '/uploads/..%2fescaped',
    '/uploads/%2e%2e/escaped',
    '/uploads/a/%2e/b',
    '/uploads/..%5cescaped',
    '/uploads/a%5cb',
    '/uploads/a%00b',
    '/uploads/a%0d%0ab',
    '/uploads/a%7fb',
    '/uploads/c:secret',
    '/uploads/file.txt::$DATA',
    '/uploads/NUL',
    '/uploads/com1.txt',
    '/uploads/lpt%C2%B9',
    '/uploads/con%20.txt',
    '/uploads/trailing.',
    '/uploads/trailing%20',
    `/uploads/${'x'.repeat(256)}`,
    `/uploads/${'%C3%A9'.repeat(128)}`,
    '/uploads/BITS-Sessions/a',
    '/uploads/bits-sessions/a',
    '/uploads/BITS%E2%80%8B-Sessions/a',
    '/uploads/BITS-Sessions',
  ]

  test.each(paths)('%s', async (path) => {
    const root = await directory()
    const running = await start({ directory: join(root, 'inner') })
    const connection = await connect(running)
    expectAck(await connection.exchange(createSession(path)), { status: 403, error: '0x80070005' })
    expect(await running.bits.sessions()).toEqual([])
    expect(await readdir(root)).toEqual(['inner'])
    await expectUsable(connection)
  })

  test('a path that is not valid UTF-8 once decoded is malformed', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    for (const path of ['/uploads/%ff', '/uploads/%', '/uploads/%zz']) {
      expectAck(await connection.exchange(createSession(path)), { status: 400, error: INVALID_ARGUMENT })
    }
  })

  test('names that are merely unusual are kept, decoded once and in NFC', async () => {
    const names: [path: string, destination: string][] = [
      ['%41%20b.txt', 'A b.txt'],
      ['100%2525', '100%25'],
      ['e%CC%81', '\u00e9'],
      ['a//b', 'a/b'],
      ['.hidden', '.hidden'],
      ['console.txt', 'console.txt'],
      ['x'.repeat(255), 'x'.repeat(255)],
      ['%E6%96%87%E6%9B%B8.txt', '\u6587\u66f8.txt'],
    ]
    const running = await start({ storage: new MemoryStorage() })
    const connection = await connect(running)
    for (const [path] of names) await openSession(connection, `/uploads/${path}`)
    const sessions = await running.bits.sessions()
    expect(sessions.map(({ destination }) => destination)).toEqual(names.map(([, name]) => name))
  })
})
