import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  type BitsUpload,
  type BitsUploadOptions,
  MemoryStorage,
  type UploadedFile,
} from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { type ExpectedAck, expectAck, expectClosing, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import {
  cancelSession,
  closeSession,
  createSession,
  fragment,
  openSession,
  PROTOCOL,
  packet,
} from '../support/raw.js'
import { FailingStorage } from '../support/storages.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)
const NO_SPACE = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })

function uploadsOf(bits: BitsUpload): UploadedFile[] {
  const files: UploadedFile[] = []
  bits.on('uploaded', (file) => files.push(file))
  return files
}

describe('D5: the session id is in every Ack except a Ping’s, as spelled in the packet', () => {
  const UNKNOWN = '{a0ff5911-4144-45b3-bf27-27afc8ec8a67}'

  test('through the whole life of a session', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const created = await connection.exchange(createSession(PATH))
    const issued = created.header('BITS-Session-Id') ?? ''
    expect(issued).toMatch(/^\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}$/)
    expectAck(created, { status: 200, session: issued })
    const session = issued.toLowerCase()
    const steps: [packet: Buffer, expected: ExpectedAck][] = [
      [fragment(PATH, session, FILE, 0, 999), { status: 200, offset: 1000 }],
      [fragment(PATH, session, FILE, 2000), { status: 416, offset: 1000 }],
      [fragment(PATH, session, bytes(2999)), { status: 400, error: '0x80070057', offset: 1000 }],
      [fragment(PATH, session, FILE, 1000), { status: 200, offset: 3000 }],
      [fragment(PATH, session, FILE, 1000), { status: 200, offset: 3000 }],
      [closeSession(PATH, session), { status: 200 }],
      [closeSession(PATH, session), { status: 200 }],
      [cancelSession(PATH, session), { status: 500, error: '0x8020001F' }],
    ]
    for (const [sent, expected] of steps) expectAck(await connection.exchange(sent), { session, ...expected })
  })

  test('also if it is cancelled', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const session = (await openSession(connection, PATH)).toLowerCase()
    for (let n = 0; n < 2; n++) {
      expectAck(await connection.exchange(cancelSession(PATH, session)), { status: 200, session })
    }
  })

  const refusals: [why: string, options: BitsUploadOptions, error: ExpectedAck][] = [
    ['there is no such session', {}, { status: 500, error: '0x8020001F' }],
    ['authorize says no', { authorize: () => false }, { status: 403, error: '0x80070005' }],
    ['uploads are switched off', { enabled: false }, { status: 501, error: '0x80070005' }],
  ]
  test.each(refusals)('also if %s', async (why, options, error) => {
    const connection = await connect(await start({ storage: new MemoryStorage(), ...options }))
    const expected = { ...error, session: UNKNOWN }
    const ack = await connection.exchange(fragment(PATH, UNKNOWN, FILE))
    // Only authorized clients learn that there is no such session.
    const offset = why === 'there is no such session' ? { offset: 0 } : {}
    expectAck(ack, { ...expected, ...offset })
    expectAck(await connection.exchange(closeSession(PATH, UNKNOWN)), expected)
    expectAck(await connection.exchange(cancelSession(PATH, UNKNOWN)), expected)
  })

  test('but not a session id sent with Ping or Create-Session', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const named = { 'BITS-Session-Id': UNKNOWN }
    expectAck(await connection.exchange(packet('Ping', PATH, named)), { status: 200 })
    const protocol = { ...named, 'BITS-Supported-Protocols': PROTOCOL }
    const created = await connection.exchange(packet('Create-Session', PATH, protocol))
    expect(created.status).toBe(200)
    expect(created.header('BITS-Session-Id')?.toLowerCase()).not.toBe(UNKNOWN)
    const refused = await connection.exchange(packet('Create-Session', PATH, named))
    expectAck(refused, { status: 400, error: '0x80070057' })
  })
})

describe('D7: a last fragment repeated after a publication that failed', () => {
  test('publishes the file, once', async () => {
    const storage = new FailingStorage()
    const running = await start({ storage })
    const uploaded = uploadsOf(running.bits)
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    storage.failure = { at: 'publish', error: new Error('Busy.') }
    for (let n = 0; n < 2; n++) {
      const ack = await connection.exchange(fragment(PATH, id, FILE))
      expectAck(ack, { status: 500, error: '0x80004005', session: id, offset: 3000 })
    }
    expect(uploaded).toEqual([])
    storage.failure = undefined
    const ack = await connection.exchange(fragment(PATH, id, FILE, 2000))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expect(storage.files.get('file.bin')).toEqual(FILE)
    expect(uploaded).toMatchObject([{ destination: 'file.bin', size: 3000 }])
  })

  test('succeeds even if staged data cannot be removed, which is reported', async () => {
    const storage = new FailingStorage()
    const running = await start({ storage })
    const errors: string[] = []
    running.bits.on('error', (error) => errors.push(error.message))
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    storage.failure = { at: 'discard', error: new Error('Busy.') }
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expect(storage.files.get('file.bin')).toEqual(FILE)
    expect(errors).toEqual(['Busy.'])
    expect((await connection.exchange(closeSession(PATH, id))).status).toBe(200)
  })
})

test('D9: a last fragment repeated after its success gets 200 with the total, and delivers nothing twice', async () => {
  const storage = new MemoryStorage()
  const running = await start({ storage })
  const uploaded = uploadsOf(running.bits)
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  const other = Buffer.alloc(3000, 0xee)
  for (const again of [
    fragment(PATH, id, other, 2999),
    fragment(PATH, id, other),
    fragment(PATH, id, other, 1, 9),
  ]) {
    expectAck(await connection.exchange(again), { status: 200, session: id, offset: 3000 })
  }
  expect(storage.files.get('file.bin')).toEqual(FILE)
  expect(uploaded).toHaveLength(1)
})

test('D9: a published session still has its total', async () => {
  const connection = await connect(await start({ storage: new MemoryStorage() }))
  const id = await openSession(connection, PATH)
  await connection.exchange(fragment(PATH, id, FILE))
  const ack = await connection.exchange(fragment(PATH, id, bytes(2999)))
  expectAck(ack, { status: 400, error: '0x80070057', session: id, offset: 3000 })
})

describe('D11: a destination that appears while the upload is in progress', () => {
  test('is not overwritten; once it is removed, the last fragment publishes the file', async () => {
    const root = await directory()
    const connection = await connect(await start({ directory: root }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 1999))
    const path = join(root, 'file.bin')
    await writeFile(path, 'mine')
    for (let n = 0; n < 2; n++) {
      const refused = await connection.exchange(fragment(PATH, id, FILE, 2000))
      expectAck(refused, { status: 403, error: '0x80070005', session: id, offset: 3000 })
    }
    expect(await readFile(path, 'utf8')).toBe('mine')
    await rm(path)
    const ack = await connection.exchange(fragment(PATH, id, FILE, 2000))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expect(await readFile(path)).toEqual(FILE)
  })

  test('of two uploads to one name, the first to be complete wins', async () => {
    const root = await directory()
    const connection = await connect(await start({ directory: root }))
    const first = await openSession(connection, PATH)
    const second = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, second, FILE))
    const ack = await connection.exchange(fragment(PATH, first, bytes(10)))
    expectAck(ack, { status: 403, error: '0x80070005', session: first, offset: 10 })
    expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
  })

  test('is replaced at once with overwrite, and stays readable until then', async () => {
    const root = await directory()
    const connection = await connect(await start({ directory: root, overwrite: true }))
    const path = join(root, 'file.bin')
    await writeFile(path, 'old')
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 2998))
    expect(await readFile(path, 'utf8')).toBe('old')
    await connection.exchange(fragment(PATH, id, FILE, 2999))
    expect(await readFile(path)).toEqual(FILE)
  })
})

describe('D12: sizes', () => {
  test('a file of maxUploadSize in fragments of maxFragmentSize is accepted', async () => {
    const file = bytes(10_240)
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage, maxUploadSize: 10_240, maxFragmentSize: 5120 }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, file, 0, 5119))
    const ack = await connection.exchange(fragment(PATH, id, file, 5120))
    expectAck(ack, { status: 200, session: id, offset: 10_240 })
    expect(storage.files.get('file.bin')).toEqual(file)
  })

  test('a fragment above maxFragmentSize gets 413 before its body, and the upload continues in smaller ones', async () => {
    const file = bytes(20_000)
    const storage = new MemoryStorage()
    const running = await start({ storage, maxFragmentSize: 10_000 })
    const first = await connect(running)
    const id = await openSession(first, PATH)
    const ack = await first.exchange(fragment(PATH, id, file, 0, 10_000).subarray(0, -9000))
    expectAck(ack, { status: 413, error: '0x8019019D', session: id, offset: 0 })
    first.write(file.subarray(0, 9000))
    await expectClosing(first, ack)
    const second = await connect(running)
    expect((await second.exchange(fragment(PATH, id, file, 0, 9_999))).status).toBe(200)
    expect((await second.exchange(fragment(PATH, id, file, 10_000))).status).toBe(200)
    expect(storage.files.get('file.bin')).toEqual(file)
  })

  test('a client that writes its whole fragment before it reads also gets the 413 (MC-BUP note 10: up to 13 MB)', async () => {
    const running = await start({ storage: new MemoryStorage(), maxFragmentSize: 5120 })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    connection.socket.pause()
    const written = new Promise<void>((resolve, reject) => {
      const whole = fragment(PATH, id, Buffer.alloc(13_000_000))
      connection.socket.write(whole, (error) => (error ? reject(error) : resolve()))
    })
    await written
    connection.socket.resume()
    const ack = await connection.ack()
    expectAck(ack, { status: 413, error: '0x8019019D', session: id, offset: 0 })
    await expectClosing(connection, ack)
  })

  test('a refused fragment that is not too large is read to its end, for a client that writes before it reads', async () => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const id = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'
    const whole = fragment(PATH, id, Buffer.alloc(2_000_000))
    const answer = connection.ack()
    connection.write(whole.subarray(0, 1_000_000))
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 100, 'none'))])
    expect(early).toBe('none')
    connection.write(whole.subarray(1_000_000))
    expectAck(await answer, { status: 500, error: '0x8020001F', session: id, offset: 0 })
    await expectUsable(connection)
  })
})

describe('D13: a full disk', () => {
  test('keeps what was written, and the session continues once there is space', async () => {
    const storage = new MemoryStorage({ maxBytes: 2500 })
    const connection = await connect(await start({ storage }))
    storage.files.set('other', Buffer.alloc(1000))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    const full = await connection.exchange(fragment(PATH, id, FILE, 1000))
    expectAck(full, { status: 500, error: '0x80070070', session: id, offset: 1000 })
    storage.files.clear()
    const half = await connection.exchange(fragment(PATH, id, FILE, 1000, 1999))
    expectAck(half, { status: 200, session: id, offset: 2000 })
    expect((await connection.exchange(fragment(PATH, id, FILE, 2000))).status).toBe(500)
    await expectUsable(connection)
  })

  test('is reported for any adapter that throws ENOSPC, even while an overlap is skipped', async () => {
    const file = bytes(500_000)
    const storage = new FailingStorage()
    const connection = await connect(await start({ storage }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, file, 0, 9_999))
    storage.failure = { at: 'append', error: NO_SPACE }
    const full = await connection.exchange(fragment(PATH, id, file))
    expectAck(full, { status: 500, error: '0x80070070', session: id, offset: 10_000 })
    storage.failure = undefined
    const ack = await connection.exchange(fragment(PATH, id, file))
    expectAck(ack, { status: 200, session: id, offset: 500_000 })
    expect(storage.files.get('file.bin')?.equals(file)).toBe(true)
  })

  test('at Create-Session creates no session', async () => {
    const storage = new FailingStorage()
    storage.failure = { at: 'begin', error: NO_SPACE }
    const running = await start({ storage })
    const connection = await connect(running)
    await expect(openSession(connection, PATH)).rejects.toThrow('500')
    expect(await running.bits.sessions()).toEqual([])
    storage.failure = undefined
    await openSession(connection, PATH)
  })
})

describe('D21: a session id is matched in any case, with or without braces', () => {
  const forms: [what: string, change: (id: string) => string][] = [
    ['as issued', (id) => id],
    ['in lower case', (id) => id.toLowerCase()],
    ['in mixed case', (id) => id.replace(/[A-F]/g, (letter, n) => (n % 2 ? letter : letter.toLowerCase()))],
    ['without braces', (id) => id.slice(1, -1)],
    ['with spaces around', (id) => `  ${id}  `],
  ]
  test.each(forms)('%s, and echoed as received', async (_, change) => {
    const connection = await connect(await start({ storage: new MemoryStorage() }))
    const id = change(await openSession(connection, PATH))
    const ack = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(ack, { status: 200, session: id.trim(), offset: 3000 })
  })

  test('anything other than a GUID names no session', async () => {
    const connection = await connect(await start({ directory: await directory() }))
    const id = await openSession(connection, PATH)
    for (const other of [id.slice(0, -2), `${id}x`, '../../x', 'x'.repeat(100), `${id},${id}`]) {
      const ack = await connection.exchange(fragment(PATH, other, FILE))
      expectAck(ack, { status: 500, error: '0x8020001F', session: other, offset: 0 })
    }
    const tooLong = await connection.exchange(fragment(PATH, 'x'.repeat(101), FILE))
    expectAck(tooLong, { status: 400, error: '0x80070057', offset: 0 })
  })
})

describe('D32: a session belongs to its path and its user', () => {
  const user = (req: { get(name: string): string | undefined }) => req.get('X-User')
  const as = (name: string, id: string, path = PATH, host = '127.0.0.1') =>
    packet(
      'Fragment',
      path,
      { 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-2999/3000', 'X-User': name, Host: host },
      FILE,
    )
  const create = (name: string) =>
    packet('Create-Session', PATH, {
      'BITS-Supported-Protocols': '{7df0354d-249b-430f-820d-3d2a9bef4931}',
      'X-User': name,
    })

  test('another path does not find it', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }))
    const id = await openSession(connection, PATH)
    for (const path of ['/uploads/other.bin', '/uploads/FILE.BIN', '/uploads/file.bin/x']) {
      const ack = await connection.exchange(fragment(path, id, FILE))
      expectAck(ack, { status: 500, error: '0x8020001F', session: id, offset: 0 })
      expect((await connection.exchange(closeSession(path, id))).status).toBe(500)
    }
    expect(storage.bytes).toBe(0)
    expect((await connection.exchange(fragment(PATH, id, FILE))).status).toBe(200)
  })

  test('another user does not find it, and an anonymous client counts as another user', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage, user }))
    const id = (await connection.exchange(create('alice'))).header('BITS-Session-Id') ?? ''
    await connection.exchange(
      packet(
        'Fragment',
        PATH,
        { 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-9/3000', 'X-User': 'alice' },
        FILE.subarray(0, 10),
      ),
    )
    for (const name of ['mallory', 'Alice']) {
      const ack = await connection.exchange(as(name, id))
      expectAck(ack, { status: 500, error: '0x8020001F', session: id, offset: 0 })
    }
    const nobody = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(nobody, { status: 500, error: '0x8020001F', session: id, offset: 0 })
    expectAck(await connection.exchange(as('alice', id)), { status: 200, session: id, offset: 3000 })
  })

  test('Host, query, and another spelling of the path may change', async () => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage, user }))
    const id = (await connection.exchange(create('alice'))).header('BITS-Session-Id') ?? ''
    for (const [path, host] of [
      [`${PATH}?token=2`, '127.0.0.1'],
      [PATH, 'bits2.example.com:8080'],
      ['/uploads/%66ile.bin', '127.0.0.1'],
      ['/uploads//file.bin?', '127.0.0.1'],
      [`http://other.example${PATH}`, 'other.example'],
    ] as const) {
      const ack = await connection.exchange(as('alice', id, path, host))
      expectAck(ack, { status: 200, session: id, offset: 3000 })
    }
  })
})

test('sessions do not belong to their connection', async () => {
  const storage = new MemoryStorage()
  const running = await start({ storage })
  const creator = await connect(running)
  const id = await openSession(creator, PATH)
  creator.end()
  await once(creator.socket, 'close')
  for (let first = 0; first < 3000; first += 1000) {
    const connection = await connect(running)
    const ack = await connection.exchange(fragment(PATH, id, FILE, first, first + 999))
    expectAck(ack, { status: 200, session: id, offset: first + 1000 })
    connection.reset()
  }
  expect(storage.files.get('file.bin')).toEqual(FILE)
})
