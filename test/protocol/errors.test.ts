import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import type { Express } from 'express'
import { BitsError, type BitsUploadOptions, FileStorage, MemoryStorage } from 'express-bits-upload'
import { describeValue } from '../../lib/validation/describe-value.js'
import { bytes } from '../support/bytes.js'
import { type ExpectedAck, expectAck, expectClosing, expectUsable } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import {
  closeSession,
  createSession,
  fragment,
  openSession,
  PROTOCOL,
  packet,
  type RawAck,
  type RawConnection,
} from '../support/raw.js'
import { FailingStorage } from '../support/storages.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(30_000)
const UNKNOWN_ID = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'
const INVALID_ARGUMENT = '0x80070057'
const ACCESS_DENIED = '0x80070005'

interface Scene {
  connection: RawConnection
  root: string
  storage: MemoryStorage
}

interface Outcome {
  ack: RawAck
  expected: ExpectedAck
  /** Default: the connection stays open. */
  closes?: boolean
}

interface Row {
  name: string
  options?(root: string): BitsUploadOptions
  act(scene: Scene): Promise<Outcome>
}

const inFiles = (root: string): BitsUploadOptions => ({ directory: root })

/** All rows of the condition table that concern the server; the numbers are from protocol.md 3.2. */
const ROWS: Row[] = [
  {
    name: '1: a session id that is not active is 500 + BG_E_SESSION_NOT_FOUND',
    async act({ connection }) {
      const ack = await connection.exchange(fragment(PATH, UNKNOWN_ID, FILE))
      return { ack, expected: { status: 500, error: '0x8020001F', session: UNKNOWN_ID, offset: 0 } }
    },
  },
  {
    name: '2: no permission for the URL is 403 + E_ACCESSDENIED',
    options: () => ({ storage: new MemoryStorage(), authorize: () => false }),
    async act({ connection }) {
      const ack = await connection.exchange(createSession(PATH))
      return { ack, expected: { status: 403, error: ACCESS_DENIED } }
    },
  },
  {
    name: '2: no permission for a Fragment tells no offset',
    options() {
      let asked = 0
      return { storage: new MemoryStorage(), authorize: () => ++asked <= 2 }
    },
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      await connection.exchange(fragment(PATH, id, FILE, 0, 9))
      const ack = await connection.exchange(fragment(PATH, id, FILE, 10))
      return { ack, expected: { status: 403, error: ACCESS_DENIED, session: id } }
    },
  },
  {
    name: '3, D11: a destination that exists is 403 + E_ACCESSDENIED at Create-Session',
    options: inFiles,
    async act({ connection, root }) {
      await writeFile(join(root, 'file.bin'), 'there')
      const ack = await connection.exchange(createSession(PATH))
      return { ack, expected: { status: 403, error: ACCESS_DENIED } }
    },
  },
  {
    name: '3, D11: a destination that has appeared in the meantime is 403 + E_ACCESSDENIED at the last Fragment',
    options: inFiles,
    async act({ connection, root }) {
      const id = await openSession(connection, PATH)
      await writeFile(join(root, 'file.bin'), 'there')
      const ack = await connection.exchange(fragment(PATH, id, FILE))
      return { ack, expected: { status: 403, error: ACCESS_DENIED, session: id, offset: 30_000 } }
    },
  },
  {
    name: '4, D18: uploads that are not enabled are 501 + E_ACCESSDENIED',
    options: () => ({ storage: new MemoryStorage(), enabled: false }),
    async act({ connection }) {
      const ack = await connection.exchange(createSession(PATH))
      return { ack, expected: { status: 501, error: ACCESS_DENIED } }
    },
  },
  {
    name: '5, D1: a Fragment out of sync is 416 with the offset, without error headers',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      const ack = await connection.exchange(fragment(PATH, id, FILE, 1))
      return { ack, expected: { status: 416, session: id, offset: 0 } }
    },
  },
  {
    name: '6: a Content-Range that is malformed is 400 + E_INVALIDARG',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      const headers = { 'BITS-Session-Id': id, 'Content-Range': 'bytes=0-29999/30000' }
      const ack = await connection.exchange(packet('Fragment', PATH, headers, FILE))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT, session: id, offset: 0 } }
    },
  },
  {
    name: '6: a Content-Range that is absent is 400 + E_INVALIDARG',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      const ack = await connection.exchange(packet('Fragment', PATH, { 'BITS-Session-Id': id }, FILE))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT, session: id, offset: 0 } }
    },
  },
  {
    name: '6: a Content-Range that contradicts the Content-Length is 400 + E_INVALIDARG',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      const headers = { 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-29998/30000' }
      const ack = await connection.exchange(packet('Fragment', PATH, headers, FILE))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT, session: id, offset: 0 } }
    },
  },
  {
    name: '7: a value over 4 KB of a header of the protocol is 400 + E_INVALIDARG',
    async act({ connection }) {
      const long = { 'BITS-Anything': 'x'.repeat(4097) }
      const ack = await connection.exchange(packet('Ping', PATH, long))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT } }
    },
  },
  {
    name: '8: no common protocol is 400 + E_INVALIDARG',
    async act({ connection }) {
      const other = { 'BITS-Supported-Protocols': '{11111111-2222-3333-4444-555555555555}' }
      const ack = await connection.exchange(packet('Create-Session', PATH, other))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT } }
    },
  },
  {
    name: '9: a total that changes is 400 + E_INVALIDARG',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      await connection.exchange(fragment(PATH, id, FILE, 0, 9))
      const ack = await connection.exchange(fragment(PATH, id, FILE.subarray(1), 10))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT, session: id, offset: 10 } }
    },
  },
  {
    name: '10: a destination that is a directory is 400 + E_INVALIDARG',
    options: inFiles,
    async act({ connection, root }) {
      await mkdir(join(root, 'file.bin'))
      const ack = await connection.exchange(createSession(PATH))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT } }
    },
  },
  {
    name: '10: a destination that became a directory is 400 + E_INVALIDARG at the last Fragment',
    options: inFiles,
    async act({ connection, root }) {
      const id = await openSession(connection, PATH)
      await mkdir(join(root, 'file.bin'))
      const ack = await connection.exchange(fragment(PATH, id, FILE))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT, session: id, offset: 30_000 } }
    },
  },
  {
    name: '11, D19: no Content-Length is 411 + E_INVALIDARG',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      const headers = {
        'BITS-Session-Id': id,
        'Content-Range': 'bytes 0-9/30000',
        'Content-Length': undefined,
      }
      const ack = await connection.exchange(packet('Fragment', PATH, headers))
      return { ack, expected: { status: 411, error: INVALID_ARGUMENT, session: id, offset: 0 } }
    },
  },
  {
    name: '11, D19: a chunked body is 411 + E_INVALIDARG, and ends the connection',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      const headers = {
        'BITS-Session-Id': id,
        'Content-Range': 'bytes 0-9/30000',
        'Content-Length': undefined,
        'Transfer-Encoding': 'chunked',
      }
      const ack = await connection.exchange(packet('Fragment', PATH, headers))
      connection.write('a\r\n0123456789\r\n0\r\n\r\n')
      return {
        ack,
        expected: { status: 411, error: INVALID_ARGUMENT, session: id, offset: 0 },
        closes: true,
      }
    },
  },
  {
    name: '12: an unknown packet type is 400 + E_INVALIDARG',
    async act({ connection }) {
      const headers = { 'BITS-Session-Id': UNKNOWN_ID }
      const ack = await connection.exchange(packet('Ack', PATH, headers))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT, session: UNKNOWN_ID } }
    },
  },
  {
    name: '13: no packet type is 400 + E_INVALIDARG',
    async act({ connection }) {
      const ack = await connection.exchange(packet('', PATH, { 'BITS-Packet-Type': undefined }))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT } }
    },
  },
  {
    name: '13: a Fragment without a session id is 400 + E_INVALIDARG',
    async act({ connection }) {
      const headers = { 'Content-Range': 'bytes 0-29999/30000' }
      const ack = await connection.exchange(packet('Fragment', PATH, headers, FILE))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT, offset: 0 } }
    },
  },
  {
    name: '13: a body on Create-Session is 400 + E_INVALIDARG',
    async act({ connection }) {
      const headers = { 'BITS-Supported-Protocols': PROTOCOL }
      const ack = await connection.exchange(packet('Create-Session', PATH, headers, Buffer.from('x')))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT } }
    },
  },
  {
    name: '13: an empty Host header is 400 + E_INVALIDARG',
    async act({ connection }) {
      const ack = await connection.exchange(packet('Ping', PATH, { Host: '' }))
      return { ack, expected: { status: 400, error: INVALID_ARGUMENT } }
    },
  },
  {
    name: '14: a packet that a session no longer expects gets "session not found"',
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      await connection.exchange(closeSession(PATH, id))
      const ack = await connection.exchange(packet('Cancel-Session', PATH, { 'BITS-Session-Id': id }))
      return { ack, expected: { status: 500, error: '0x8020001F', session: id } }
    },
  },
  {
    name: '16, D12: a file above maxUploadSize is 500 + BG_E_TOO_LARGE at its first Fragment',
    options: () => ({ storage: new MemoryStorage(), maxUploadSize: 29_999 }),
    async act({ connection, storage }) {
      const id = await openSession(connection, PATH)
      const ack = await connection.exchange(fragment(PATH, id, FILE, 0, 9))
      expect(storage.bytes).toBe(0)
      return { ack, expected: { status: 500, error: '0x80200020', session: id, offset: 0 } }
    },
  },
  {
    name: '17, D12: a fragment above maxFragmentSize is 413, and ends the connection',
    options: () => ({ storage: new MemoryStorage(), maxFragmentSize: 10_000 }),
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      await connection.exchange(fragment(PATH, id, FILE, 0, 9_999))
      const ack = await connection.exchange(fragment(PATH, id, FILE, 10_000, 20_000).subarray(0, -1))
      connection.write(FILE.subarray(20_000, 20_001))
      return {
        ack,
        expected: { status: 413, error: '0x8019019D', session: id, offset: 10_000 },
        closes: true,
      }
    },
  },
  {
    name: '18, D13: a full disk is 500 + ERROR_DISK_FULL',
    options() {
      const storage = new FailingStorage()
      storage.failure = {
        at: 'append',
        error: Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }),
      }
      return { storage }
    },
    async act({ connection }) {
      const id = await openSession(connection, PATH)
      const ack = await connection.exchange(fragment(PATH, id, FILE))
      return { ack, expected: { status: 500, error: '0x80070070', session: id, offset: 0 } }
    },
  },
  {
    name: '19: Close-Session of an upload whose data was removed is 404 + ERROR_FILE_NOT_FOUND',
    options: inFiles,
    async act({ connection, root }) {
      const id = await openSession(connection, PATH)
      const folder = join(root, 'BITS-Sessions')
      for (const name of await readdir(folder)) if (name.endsWith('.part')) await rm(join(folder, name))
      const ack = await connection.exchange(closeSession(PATH, id))
      return { ack, expected: { status: 404, error: '0x80070002', session: id } }
    },
  },
  {
    name: '23: 401 goes out with its challenge',
    options: () => ({
      storage: new MemoryStorage(),
      authorize() {
        const headers = { 'WWW-Authenticate': 'Basic realm="uploads"' }
        throw new BitsError({ status: 401, headers }, 'No credentials.')
      },
    }),
    async act({ connection }) {
      const ack = await connection.exchange(createSession(PATH))
      expect(ack.header('WWW-Authenticate')).toBe('Basic realm="uploads"')
      return { ack, expected: { status: 401, error: '0x80190191' } }
    },
  },
  {
    name: '23: an error of other middleware keeps its challenge, and nothing else of its headers',
    options: () => ({
      storage: new MemoryStorage(),
      authorize() {
        const headers = { 'www-authenticate': 'Bearer', 'transfer-encoding': 'chunked', 'set-cookie': 'a=b' }
        throw Object.assign(new Error('No token.'), { status: 401, headers })
      },
    }),
    async act({ connection }) {
      const ack = await connection.exchange(createSession(PATH))
      expect(ack.header('WWW-Authenticate')).toBe('Bearer')
      expect(ack.header('Transfer-Encoding') ?? ack.header('Set-Cookie')).toBeUndefined()
      return { ack, expected: { status: 401, error: '0x80190191' } }
    },
  },
  {
    name: '25: a parent directory that does not exist is 404 + ERROR_PATH_NOT_FOUND',
    options: (root) => ({ storage: new FileStorage({ directory: root, createDirectories: false }) }),
    async act({ connection }) {
      const ack = await connection.exchange(createSession('/uploads/folder/file.bin'))
      return { ack, expected: { status: 404, error: '0x80070003' } }
    },
  },
  {
    name: 'beyond the table: what nobody foresaw is 500 + E_FAIL, and tells the client no more',
    options() {
      const storage = new FailingStorage()
      storage.failure = { at: 'has', error: new Error('secret detail') }
      return { storage }
    },
    async act({ connection }) {
      const ack = await connection.exchange(createSession(PATH))
      expect(JSON.stringify(ack.headers)).not.toContain('secret')
      return { ack, expected: { status: 500, error: '0x80004005' } }
    },
  },
]

test.each(ROWS)('protocol.md 3.2, row $name', async ({ options, act }) => {
  const root = await directory()
  const storage = new MemoryStorage()
  const connection = await connect(await start(options?.(root) ?? { storage }))
  const { ack, expected, closes } = await act({ connection, root, storage })
  expectAck(ack, expected)
  if (closes) await expectClosing(connection, ack)
  else await expectUsable(connection)
})

test.each([200, 204, 299, 600, 99, 404.5, Number.NaN, '404', undefined])(
  'a BitsError cannot have the status %s: in an Ack, it would mean something else',
  (status) => {
    expect(() => Reflect.construct(BitsError, [{ status }, 'No.'])).toThrow(
      new RangeError(
        `BitsError: the status is ${describeValue(status)}: use a whole number from 300 to 599.`,
      ),
    )
  },
)

test('a BitsError cannot have a header that cannot be sent: the client would get no response', async () => {
  const headers = { 'WWW-Authenticate': 'Basic realm="10 €"' }
  expect(() => new BitsError({ status: 401, headers }, 'No.')).toThrow(
    'BitsError: the header "WWW-Authenticate" has a character that is not allowed in headers: use ASCII.',
  )
  // An invalid header of another error is omitted.
  const authorize = () => Promise.reject(Object.assign(new Error('No.'), { status: 401, headers }))
  const connection = await connect(await start({ storage: new MemoryStorage(), authorize }))
  const ack = await connection.exchange(createSession('/uploads/a'))
  expectAck(ack, { status: 401, error: '0x80190191' })
  expect(ack.header('WWW-Authenticate')).toBeUndefined()
})

test.each([300, 400, 599])('a BitsError may have the status %i', (status) => {
  expect(new BitsError({ status }, 'No.')).toMatchObject({ status, hresult: 0x80190000 + status })
})

test.each(['authorize', 'onUpload'] as const)(
  '%s that refuses with the status 200 still refuses',
  async (name) => {
    const refuse = () => {
      throw new BitsError({ status: 200 }, 'No.')
    }
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage, [name]: refuse }))
    const created = await connection.exchange(createSession(PATH))
    const id = created.header('BITS-Session-Id') ?? ''
    const ack = name === 'authorize' ? created : await connection.exchange(fragment(PATH, id, FILE))
    expect(ack.status).toBe(500)
    expect(ack.header('BITS-Error-Code')).toBe('0x80004005')
    expect(storage.files.size).toBe(0)
  },
)

test('an Ack that cannot be written ends the connection, and is reported', async () => {
  const refuseHeaders = (app: Express) =>
    app.use((_req, res, next) => {
      res.setHeader = () => {
        throw new Error('No header today.')
      }
      next()
    })
  const running = await start({ storage: new MemoryStorage() }, { before: refuseHeaders })
  // So that only the middleware can end the connection.
  running.server.keepAliveTimeout = 0
  const reported: Error[] = []
  running.bits.on('error', (error) => reported.push(error))
  const connection = await connect(running)
  connection.write(createSession(PATH))
  await connection.closed()
  expect(reported).toEqual([new Error('No header today.')])
})
