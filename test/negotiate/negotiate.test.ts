import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type Request, Router } from 'express'
import { MemoryStorage } from 'express-bits-upload'
import type { NegotiateOptions } from 'express-bits-upload/negotiate'
import { negotiateWith } from '../../lib/negotiate/negotiate.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, packet, RawConnection } from '../support/raw.js'
import { RecordingLogger } from '../support/serve.js'
import { FakeKerberos, negotiateHeader, tokenOf } from './fake-kerberos.js'

const { start, connect, directory, afterwards } = fixtures()

const userOf = (req: Request): string | undefined => {
  const user: unknown = Reflect.get(req, 'user')
  return typeof user === 'string' ? user : undefined
}

/** A server with `negotiate(options)` in front of the uploads. */
async function served(options: NegotiateOptions = {}, trustProxy: boolean | number = false) {
  const kerberos = new FakeKerberos()
  const logger = new RecordingLogger()
  const users: (string | undefined)[] = []
  const authenticate = negotiateWith(() => kerberos, { logger, ...options }, 'linux')
  const running = await start(
    {
      storage: new MemoryStorage(),
      user: (req) => {
        users.push(userOf(req))
        return userOf(req)
      },
    },
    {
      before: (app) => {
        app.set('trust proxy', trustProxy)
        app.use('/uploads', authenticate)
      },
    },
  )
  return { ...running, kerberos, log: logger.lines, users, connection: await connect(running) }
}

const ping = (headers: Record<string, string> = {}) => packet('Ping', '/uploads/a.bin', headers)

describe('a request', () => {
  test('without credentials is challenged, which is not logged', async () => {
    const { connection, log, users } = await served()
    const ack = await connection.exchange(ping())
    expect([ack.status, ack.header('WWW-Authenticate')]).toEqual([401, 'Negotiate'])
    expect([log, users]).toEqual([[], []])
  })

  test("with a ticket belongs to its principal, and gets the token that proves the server's identity", async () => {
    const { connection, users, kerberos } = await served()
    const ack = await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))
    expect(ack.status).toBe(200)
    expect(ack.header('WWW-Authenticate')).toBe(`Negotiate ${Buffer.from('proof 1').toString('base64')}`)
    expect(ack.header('Persistent-Auth')).toBeUndefined()
    expect(users).toEqual(['alice@EXAMPLE.TEST'])
    expect(new Set(kerberos.services)).toEqual(new Set(['HTTP']))
  })

  test('must authenticate even if an earlier request on its connection did', async () => {
    const { connection } = await served()
    expect((await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))).status).toBe(200)
    expect((await connection.exchange(ping())).status).toBe(401)
  })

  test('that repeats a token is refused, and the log names the reason', async () => {
    const { connection, log } = await served()
    await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))
    expect((await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))).status).toBe(401)
    expect(log).toEqual([
      expect.stringMatching(/^warn: negotiate: a request from 127\.0\.0\.1 .*replay.*twice/),
    ])
  })

  test('may have an Authorization of 16 KB if the server allows it', async () => {
    const { connection, kerberos } = await served()
    // Node's own limit applies to all headers together.
    const ack = await connection.exchange(ping(negotiateHeader(`alice@${'X'.repeat(11_000)}`, 1)))
    expect(ack.status).toBe(200)
    expect(kerberos.taken[0]?.length).toBeGreaterThan(14_000)
  })
})

test.each([
  [
    'NTLM',
    'NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGFKAAAADw==',
    /NTLM instead of a Kerberos ticket.*setspn/,
  ],
  ['NTLM in Negotiate', 'Negotiate TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGFKAAAADw==', /setspn -S/],
  ['NTLM in SPNEGO', `Negotiate ${Buffer.from('`\x06+\x06NTLMSSP\0\x01').toString('base64')}`, /setspn -S/],
  ['a token that is not Base64', 'Negotiate a*b', /not Base64/],
  ['no token', 'Negotiate', /not Base64/],
  ['another scheme', 'Bearer abc', /does not offer/],
  [
    'a password, where none is accepted',
    `Basic ${Buffer.from('alice:secret').toString('base64')}`,
    /option basic/,
  ],
  ['the start of a longer exchange', `Negotiate ${tokenOf('', 1)}`, /several steps/],
  ['an anonymous ticket', `Negotiate ${tokenOf('WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS', 1)}`, /anonymous/],
])(
  '%s is refused with 401, and the log says why without showing it',
  async (_what, authorization, reason) => {
    const { connection, log, users } = await served()
    const ack = await connection.exchange(ping({ Authorization: authorization }))
    expect([ack.status, ack.header('WWW-Authenticate')]).toEqual([401, 'Negotiate'])
    expect(log).toEqual([expect.stringMatching(reason)])
    expect(log.join()).not.toContain('secret')
    expect(log.join()).not.toContain(authorization.split(' ')[1] || 'Negotiate ')
    expect(users).toEqual([])
  },
)

test.each([
  ['Clock skew too great', /synchronize/],
  ['Ticket expired', /new ticket/],
  ['No key table entry found for HTTP/a.example.test', /klist -k/],
  ['Decrypt integrity check failed', /create the keytab again/],
])('a token rejected with "%s" gets 401, and the log says what to do', async (message, remedy) => {
  const { connection, log, kerberos } = await served()
  kerberos.rejection = new Error(
    `Unspecified GSS failure.  Minor code may provide more information: ${message}`,
  )
  expect((await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))).status).toBe(401)
  expect(log).toEqual([expect.stringMatching(remedy)])
})

test('a keytab that can no longer be read gets 503, after which clients try again', async () => {
  const { connection, log, kerberos } = await served()
  kerberos.failure = new Error('Unspecified GSS failure: Permission denied')
  const ack = await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))
  expect([ack.status, ack.header('WWW-Authenticate'), ack.header('Retry-After')]).toEqual([
    503,
    undefined,
    '30',
  ])
  expect(log).toEqual([expect.stringMatching(/^error: .*503.*cannot read the keytab/)])
})

describe('at the start', () => {
  function withoutKey() {
    const kerberos = new FakeKerberos()
    kerberos.failure = new Error('No key table entry found matching HTTP/x')
    const logger = new RecordingLogger()
    const authenticate = negotiateWith(() => kerberos, { logger, service: 'HTTP@x' }, 'linux')
    return { authenticate, log: logger.lines }
  }

  test('a service without a key is reported in the log', async () => {
    const { log } = withoutKey()
    await new Promise((resolve) => setImmediate(resolve))
    expect(log).toEqual([expect.stringMatching(/^error: negotiate: No ticket for HTTP@x .*klist -k/)])
  })

  test('ready() rejects instead, for callers that wait for it', async () => {
    const { authenticate, log } = withoutKey()
    await expect(authenticate.ready()).rejects.toThrow(/No ticket for HTTP@x can be accepted: .*klist -k/)
    expect(log).toEqual([])
  })

  test('Windows, where the package cannot accept tickets, is refused', () => {
    expect(() => negotiateWith(() => new FakeKerberos(), {}, 'win32')).toThrow(/Windows.*IIS/)
  })

  test.each<[NegotiateOptions, RegExp]>([
    [{ service: 'HTTP/host' }, /service is "HTTP\/host": use 'HTTP@host'/],
    [
      { keytab: '/nonexistent/http.keytab' },
      /keytab is \/nonexistent\/http.keytab: use a keytab that .*ENOENT/,
    ],
    [{ keytab: '/' }, /EISDIR/],
    [{ stripRealm: '' }, /stripRealm/],
    [{ realm: 'Zürich' }, /realm/],
  ])('refuses %j', (options, message) => {
    expect(() => negotiateWith(() => new FakeKerberos(), options, 'linux')).toThrow(message)
  })

  test('a file that is not a keytab is refused, and so is a second keytab', async () => {
    const path = await directory()
    const [first, second, other] = ['first', 'second', 'other'].map((name) => join(path, name))
    await writeFile(first ?? '', Buffer.from([5, 2, 0]))
    await writeFile(second ?? '', Buffer.from([5, 2, 0]))
    await writeFile(other ?? '', 'alice:secret')
    const before = process.env.KRB5_KTNAME
    afterwards(() => {
      if (before === undefined) delete process.env.KRB5_KTNAME
      else process.env.KRB5_KTNAME = before
    })
    const make = (keytab: string | undefined) =>
      negotiateWith(() => new FakeKerberos(), { keytab, logger: new RecordingLogger() }, 'linux')
    expect(() => make(other)).toThrow(/this file is not one/)
    make(first)
    expect(process.env.KRB5_KTNAME).toBe(`FILE:${first}`)
    make(first)
    expect(() => make(second)).toThrow(/one for the whole process/)
  })
})

describe('stripRealm', () => {
  test.each<[boolean | string, string, string]>([
    [false, 'alice@EXAMPLE.TEST', 'alice@EXAMPLE.TEST'],
    [true, 'alice@EXAMPLE.TEST', 'alice'],
    [true, 'PC01$@EXAMPLE.TEST', 'PC01$'],
    ['EXAMPLE.TEST', 'alice@EXAMPLE.TEST', 'alice'],
    ['EXAMPLE.TEST', 'alice@PARTNER.TEST', 'alice@PARTNER.TEST'],
  ])('%j turns %s into %s', async (stripRealm, principal, user) => {
    const { connection, users } = await served({ stripRealm })
    await connection.exchange(ping(negotiateHeader(principal, 1)))
    expect(users).toEqual([user])
  })
})

describe('persistent', () => {
  const alice = (serial: number) => ping(negotiateHeader('alice@EXAMPLE.TEST', serial))

  test('authenticates a connection once, and tells the client', async () => {
    const { connection, users } = await served({ persistent: true })
    const first = await connection.exchange(alice(1))
    expect([first.status, first.header('Persistent-Auth')]).toEqual([200, 'true'])
    expect((await connection.exchange(ping())).status).toBe(200)
    expect(users).toEqual(['alice@EXAMPLE.TEST', 'alice@EXAMPLE.TEST'])
  })

  test('does not apply to another connection', async () => {
    const { connection, port } = await served({ persistent: true })
    await connection.exchange(alice(1))
    const other = await connect({ port })
    expect((await other.exchange(ping())).status).toBe(401)
  })

  test('a new token changes the user of the connection, and a rejected one ends it', async () => {
    const { connection, users } = await served({ persistent: true })
    await connection.exchange(alice(1))
    await connection.exchange(ping(negotiateHeader('bob@EXAMPLE.TEST', 2)))
    await connection.exchange(ping())
    expect(users.at(-1)).toBe('bob@EXAMPLE.TEST')
    expect((await connection.exchange(alice(1))).status).toBe(401)
    expect((await connection.exchange(ping())).status).toBe(401)
  })

  test('is not applied to the connections of a trusted proxy, which the log says once', async () => {
    const { connection, log } = await served({ persistent: true }, 1)
    for (const serial of [1, 2]) {
      const ack = await connection.exchange(alice(serial))
      expect([ack.status, ack.header('Persistent-Auth')]).toEqual([200, undefined])
      expect((await connection.exchange(ping())).status).toBe(401)
    }
    expect(log).toEqual([expect.stringMatching(/^warn: negotiate: persistent is not applied/)])
  })

  test.each(['Via', 'Forwarded', 'X-Forwarded-For', 'X-Real-IP'])(
    'is not applied to requests with %s, even if no proxy is trusted',
    async (name) => {
      const { connection } = await served({ persistent: true })
      await connection.exchange(alice(1))
      expect((await connection.exchange(ping({ [name]: '192.0.2.7' }))).status).toBe(401)
    },
  )
})

describe('basic', () => {
  const password = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  const basic = (name: string, secret: string) => name === 'alice' && secret === 'correct: horse'

  test('offers both challenges, and accepts either', async () => {
    const { connection, users } = await served({ basic, realm: 'Say "hello"' })
    const ack = await connection.exchange(ping())
    expect(ack.headers.filter(([name]) => name === 'WWW-Authenticate').map(([, value]) => value)).toEqual([
      'Negotiate',
      'Basic realm="Say \\"hello\\"", charset="UTF-8"',
    ])
    expect((await connection.exchange(ping(password('alice:correct: horse')))).status).toBe(200)
    expect((await connection.exchange(ping(negotiateHeader('bob@EXAMPLE.TEST', 1)))).status).toBe(200)
    expect(users).toEqual(['alice', 'bob@EXAMPLE.TEST'])
  })

  test.each(['alice:wrong', 'bob:correct: horse', ':', 'alice'])('refuses %s', async (text) => {
    const { connection, users } = await served({ basic })
    expect((await connection.exchange(ping(password(text)))).status).toBe(401)
    expect(users).toEqual([])
  })
})

describe('a refused fragment', () => {
  const CONTENT = Buffer.alloc(3 * 1024 * 1024, 'x')

  test('is read to its end, so that the connection survives', async () => {
    const { connection } = await served()
    connection.write(fragment('/uploads/a.bin', '{x}', CONTENT))
    expect((await connection.ack()).status).toBe(401)
    expect((await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))).status).toBe(200)
  })

  test('larger than any fragment from Windows gets a response before it has arrived, and the connection is closed', async () => {
    const { port } = await served()
    const other = await RawConnection.open(port)
    afterwards(() => other.reset())
    other.write(packet('Fragment', '/uploads/a.bin', { 'Content-Length': 100 * 1024 * 1024 }))
    const ack = await other.ack()
    expect([ack.status, ack.header('Connection')]).toEqual([401, 'close'])
  })
})

test('a session belongs to the user who created it', async () => {
  const { connection } = await served()
  const as = (bytes: Buffer, user: string, serial: number) =>
    Buffer.from(
      bytes
        .toString('latin1')
        .replace(
          '\r\n\r\n',
          `\r\nAuthorization: Negotiate ${tokenOf(`${user}@EXAMPLE.TEST`, serial)}\r\n\r\n`,
        ),
      'latin1',
    )
  const created = await connection.exchange(as(createSession('/uploads/a.bin'), 'alice', 1))
  const id = created.header('BITS-Session-Id') ?? ''
  const content = Buffer.from('evidence')
  const denied = await connection.exchange(as(fragment('/uploads/a.bin', id, content), 'bob', 2))
  expect([denied.status, denied.header('BITS-Error')]).toEqual([500, '0x8020001F'])
  expect((await connection.exchange(as(fragment('/uploads/a.bin', id, content), 'alice', 3))).status).toBe(
    200,
  )
  expect((await connection.exchange(as(closeSession('/uploads/a.bin', id), 'alice', 4))).status).toBe(200)
})

test('authenticate serves user and authorize of one request with one token', async () => {
  const kerberos = new FakeKerberos()
  const logger = new RecordingLogger()
  const { authenticate } = negotiateWith(() => kerberos, { logger }, 'linux')
  const server = await start({
    storage: new MemoryStorage(),
    user: authenticate,
    authorize: async (req) => (await authenticate(req)) === 'alice@EXAMPLE.TEST',
  })
  const connection = await connect(server)
  const challenged = await connection.exchange(ping())
  expect([challenged.status, challenged.header('WWW-Authenticate')]).toEqual([401, 'Negotiate'])
  expect(server.logger.lines).toEqual([expect.stringMatching(/^info: .*answered 401: The request has no/)])
  await connection.exchange(ping({ Authorization: 'Bearer x' }))
  expect(server.logger.lines.at(-1)).toMatch(/^warn: .*answered 401: The Authorization of the request/)
  const ack = await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))
  expect([ack.status, ack.header('WWW-Authenticate')]).toEqual([200, expect.stringMatching(/^Negotiate ./)])
  expect((await connection.exchange(ping(negotiateHeader('bob@EXAMPLE.TEST', 2)))).status).toBe(403)
  expect(kerberos.taken).toHaveLength(2)
})

test('requests with the same middleware mounted twice authenticate once', async () => {
  const kerberos = new FakeKerberos()
  const authenticate = negotiateWith(() => kerberos, { logger: new RecordingLogger() }, 'linux')
  const server = await start(
    { storage: new MemoryStorage() },
    { before: (app) => void app.use(authenticate, Router().use(authenticate)) },
  )
  const connection = await connect(server)
  const ack = await connection.exchange(ping(negotiateHeader('alice@EXAMPLE.TEST', 1)))
  expect(ack.status).toBe(200)
})
