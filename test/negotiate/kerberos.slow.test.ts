import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { Command, Server } from '../cli/command.js'
import { block } from '../docs/blocks.js'
import { documentText } from '../docs/documents.js'
import { FILE as DOCUMENTED, useTempProject } from '../docs/use-temp-project.js'
import type { NegotiateServerSettings } from '../fixtures/negotiate-server.js'
import { isInstalled, startProxy } from '../proxies/proxy.js'
import { bundleScript } from '../support/bundle-script.js'
import { describeWithEngine } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { PROTOCOL, packet } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'
import { curl, curlPacket, unusedToken } from './curl.js'
import { hasKdc, Kdc, REALM, type User } from './kdc.js'

const FILE = contentOf(300_000)
const SCRIPT = new URL('../fixtures/negotiate-server.ts', import.meta.url)
/** Shifts the clock of programs that have it in `LD_PRELOAD`. */
const FAKETIME = '/usr/$LIB/faketime/libfaketime.so.1'
/** The hash of "correct horse" from `htpasswd -nbB`. */
const HTPASSWD = 'carol:$2y$05$Vz/g63LtXKXpTN9uPzCLA.nD2ht2kO2Xs.fg144XAGgdCdSd64haW\n'

describeWithEngine('Kerberos (krb5-kdc, curl and the package kerberos)', hasKdc, () => {
  const { directory, afterwards, connect, start } = fixtures()
  const temp = useTempProject()
  let kdc: Kdc
  let alice: Record<string, string>
  let bob: Record<string, string>
  beforeAll(async () => {
    kdc = await Kdc.start()
    alice = await kdc.login('alice')
    bob = await kdc.login('bob')
  })
  afterAll(() => kdc?.stop())

  /** A server with `negotiate(options)` in a separate process. */
  async function served(settings: Partial<NegotiateServerSettings> = {}) {
    const into = await directory()
    const all: NegotiateServerSettings = {
      directory: into,
      ...settings,
      options: { keytab: kdc.keytab, ...settings.options },
    }
    const server = new Command([], {
      arguments: ['--input-type=module', '-', JSON.stringify(all)],
      stdin: Buffer.from(await bundleScript(SCRIPT, 'esm', 'external')).toString(),
      env: kdc.env(),
    })
    afterwards(async () => {
      server.kill('SIGKILL')
      await server.exit
    })
    const [, port = ''] = await server.until('stdout', /^port (\d+)$/m)
    const origin = `http://localhost:${port}`
    return { server, into, origin, port: Number(port), url: `${origin}/uploads/a.bin` }
  }

  /** The command `serve --negotiate`. */
  async function command(...flags: string[]) {
    const into = await directory()
    const server = await Server.start(into, ['--negotiate', '--keytab', kdc.keytab, ...flags], {
      env: kdc.env(),
    })
    afterwards(async () => {
      server.kill('SIGKILL')
      await server.exit
    })
    const origin = `http://localhost:${server.port}`
    return { server, into, origin, url: `${origin}/a.bin` }
  }

  function send(env: Record<string, string>, ...words: string[]): Command {
    const command = new Command(['send', '--negotiate', ...words], { env })
    afterwards(async () => {
      command.kill('SIGKILL')
      await command.exit
    })
    return command
  }

  async function local(): Promise<string> {
    const path = join(await directory(), 'a.bin')
    await writeFile(path, FILE)
    return path
  }

  const create = async (env: Record<string, string>, url: string): Promise<string> => {
    const headers = { 'BITS-Supported-Protocols': PROTOCOL }
    const ack = await curlPacket(env, url, 'Create-Session', headers)
    expect(ack.status).toBe(200)
    return ack.header('BITS-Session-Id') ?? ''
  }

  const sendFragment = (env: Record<string, string>, url: string, id: string, first: number, end: number) =>
    curlPacket(
      env,
      url,
      'Fragment',
      { 'BITS-Session-Id': id, 'Content-Range': `bytes ${first}-${end - 1}/${FILE.length}` },
      FILE.subarray(first, end),
    )

  const usersSeen = (server: Command): string[] => [
    ...new Set([...server.stdout.matchAll(/^user (.*)$/gm)].map(([, user = '']) => user)),
  ]

  test('curl uploads packet by packet, with a reply, and the server proves its identity', async () => {
    const { server, into, url } = await served({ reply: 'thanks' })
    const ping = await curlPacket(alice, url, 'Ping')
    expect([ping.status, ping.header('WWW-Authenticate')]).toEqual([
      200,
      expect.stringMatching(/^Negotiate \S+$/),
    ])
    const id = await create(alice, url)
    expect((await sendFragment(alice, url, id, 0, 200_000)).status).toBe(200)
    const last = await sendFragment(alice, url, id, 200_000, FILE.length)
    expect(last.status).toBe(200)
    const reply = new URL(last.header('BITS-Reply-URL') ?? '', url)
    expect((await curl(alice, reply.href)).body).toBe('thanks')
    expect((await curl(bob, reply.href)).status).toBe(404)
    expect((await curlPacket(alice, url, 'Close-Session', { 'BITS-Session-Id': id })).status).toBe(200)
    expect(await readFile(join(into, 'a.bin'))).toEqual(FILE)
    expect(usersSeen(server)).toEqual(['alice@EXAMPLE.TEST', 'bob@EXAMPLE.TEST'])
  })

  test('send uploads as a machine, and fetches the reply', async () => {
    const { server, into, origin } = await served({ reply: 'thanks', options: { stripRealm: true } })
    const sending = send(
      await kdc.login('PC01$'),
      await local(),
      `${origin}/uploads/`,
      '--fragment-size',
      '100KB',
    )
    expect([await sending.exit, sending.stdout]).toEqual([0, 'thanks'])
    expect(await readFile(join(into, 'a.bin'))).toEqual(FILE)
    expect(usersSeen(server)).toEqual(['PC01$'])
  })

  test('another user is denied the session', async () => {
    const { url } = await served()
    const id = await create(alice, url)
    const denied = await sendFragment(bob, url, id, 0, FILE.length)
    expect([denied.status, denied.header('BITS-Error')]).toEqual([500, '0x8020001F'])
    expect((await sendFragment(alice, url, id, 0, FILE.length)).status).toBe(200)
  })

  test('a session continues with a new ticket', async () => {
    const { url } = await served()
    const env = await kdc.login('alice')
    const id = await create(env, url)
    expect((await sendFragment(env, url, id, 0, 100_000)).status).toBe(200)
    await rm(kdc.file('tickets.alice'))
    expect((await sendFragment(env, url, id, 100_000, FILE.length)).status).toBe(401)
    await kdc.login('alice')
    expect((await sendFragment(env, url, id, 100_000, FILE.length)).status).toBe(200)
  })

  test('send waits for a new ticket when its own expires, and continues the session', async () => {
    const { server, into, origin } = await command('--max-session-bandwidth', '30KB', '--log-format', 'bits')
    const env = await kdc.login('bob', '1h', 'renewed')
    const sending = send(env, await local(), `${origin}/`, '--fragment-size', '10KB')
    await server.until('stdout', /Fragment/)
    sending.kill('SIGSTOP')
    await kdc.login('bob', '1s', 'renewed')
    while (await kdc.hasTicket('renewed')) await new Promise((resolve) => setTimeout(resolve, 100))
    sending.kill('SIGCONT')
    await sending.until('stderr', /There are no credentials for .*Trying again/)
    await kdc.login('bob', '1h', 'renewed')
    expect(await sending.exit).toBe(0)
    expect(await readFile(join(into, 'a.bin'))).toEqual(FILE)
    expect(server.stdout.match(/Create-Session/g)).toHaveLength(1)
  }, 120_000)

  test('a replayed token is refused, and so is a modified one', async () => {
    const { server, origin, port } = await served()
    const { authorization = '' } = await curl(alice, `${origin}/who`)
    const connection = await connect({ port })
    const replayed = await connection.exchange(packet('Ping', '/uploads/a', { Authorization: authorization }))
    expect([replayed.status, replayed.header('WWW-Authenticate')]).toEqual([401, 'Negotiate'])
    await server.until(
      'stderr',
      /a request from 127\.0\.0\.1 was answered 401: The token was rejected: .*replay.*twice/,
    )
    const fresh = await unusedToken(alice)
    const middle = fresh.length - 100
    const other = fresh[middle] === 'A' ? 'B' : 'A'
    const changed = fresh.slice(0, middle) + other + fresh.slice(middle + 1)
    expect((await connection.exchange(packet('Ping', '/uploads/a', { Authorization: changed }))).status).toBe(
      401,
    )
    await server.until('stderr', /integrity/)
  })

  test.each([
    ['garbage', Buffer.alloc(600, 7)],
    ['the size of 16 KB', Buffer.alloc(12_000, 7)],
    ['a truncated token', Buffer.from('60820', 'hex')],
    ['NTLM', Buffer.from('NTLMSSP\0\x01\0\0\0')],
  ])('a token that is %s is refused, and the connection survives', async (_what, token) => {
    const { server, origin, port } = await served()
    const connection = await connect({ port })
    const headers = {
      Authorization: `Negotiate ${token.toString('base64')}`,
      'Content-Range': 'bytes 0-99999/100000',
    }
    const ack = await connection.exchange(
      packet('Fragment', '/uploads/a', headers, FILE.subarray(0, 100_000)),
    )
    expect(ack.status).toBe(401)
    await server.until('stderr', /was answered 401/)
    const { status } = await curl(alice, `${origin}/who`)
    expect(status).toBe(200)
    expect((await connection.exchange(packet('Ping', '/uploads/a'))).status).toBe(401)
  })

  test('a keytab older than the password of the service is reported in the log', async () => {
    const own = await Kdc.start()
    afterwards(() => own.stop())
    const { server, origin } = await served({ options: { keytab: own.keytab } })
    // The realm and the service have the same names as in the tickets, but the keys differ.
    expect((await curl(alice, `${origin}/who`)).status).toBe(401)
    await server.until('stderr', /The token was rejected: .*(?:integrity check failed|decrypt|key).*keytab/i)
  })

  test('clock differences are reported in the log', async () => {
    const { server, origin } = await served()
    // The ticket is in the client's cache, so the client need not contact the KDC, which would refuse it.
    expect((await curl(alice, `${origin}/who`)).status).toBe(200)
    const fast = { ...alice, LD_PRELOAD: FAKETIME, FAKETIME: '+10m' }
    expect((await curl(fast, `${origin}/who`)).status).toBe(401)
    await server.until('stderr', /The token was rejected: .*Clock skew.*synchronize/)
  })

  describe('persistent', () => {
    const twice = (url: string): string[] => [url, '--next', '-sv', url]

    test('authenticates a connection once', async () => {
      const { server, port } = await served({ options: { persistent: true } })
      const connection = await connect({ port })
      const headers = { Authorization: await unusedToken(alice) }
      const first = await connection.exchange(packet('Ping', '/uploads/a', headers))
      expect([first.status, first.header('Persistent-Auth')]).toEqual([200, 'true'])
      expect((await connection.exchange(packet('Ping', '/uploads/a'))).status).toBe(200)
      expect(usersSeen(server)).toEqual(['alice@EXAMPLE.TEST'])
      expect((await (await connect({ port })).exchange(packet('Ping', '/uploads/a'))).status).toBe(401)
    })

    test('curl needs no second token', async () => {
      const { server, url } = await served({ options: { persistent: true } })
      const { status } = await curl(
        alice,
        url.replace('/uploads/a.bin', '/who'),
        twice(url.replace('/uploads/a.bin', '/who')),
      )
      expect(status).toBe(200)
      expect(server.stderr).toBe('')
    })
  })

  describeWithEngine(
    'behind nginx',
    () => isInstalled('nginx'),
    () => {
      test('an Authorization of 16 KB passes with the documented setting', async () => {
        const [setting = ''] =
          /large_client_header_buffers [^;]+;/.exec(documentText('docs/authentication.md')) ?? []
        const { server, port } = await served({ trustProxy: 'loopback' })
        const { text } = block('nginx', { containing: 'keepalive' })
        const proxy = await startProxy('nginx', text.replace('server {', `server {\n${setting}`), port)
        afterwards(() => proxy.stop())
        const connection = await connect({ port: proxy.port })
        const token = Buffer.alloc(16_000, 7).toString('base64')
        const ack = await connection.exchange(
          packet('Ping', '/uploads/a', { Authorization: `Negotiate ${token}` }),
        )
        expect(ack.status).toBe(401)
        await server.until('stderr', /The token was rejected/)
      })

      test.each([false, true])('every request authenticates, with persistent: %j', async (persistent) => {
        const { server, into, port } = await served({ trustProxy: 'loopback', options: { persistent } })
        const proxy = await startProxy('nginx', block('nginx', { containing: 'keepalive' }).text, port)
        afterwards(() => proxy.stop())
        const url = `http://localhost:${proxy.port}/uploads/a.bin`
        const sending = send(alice, await local(), url)
        expect(await sending.exit).toBe(0)
        expect(await readFile(join(into, 'a.bin'))).toEqual(FILE)
        const connection = await connect({ port: proxy.port })
        for (let n = 0; n < 8; n++) {
          expect((await curlPacket(n % 2 ? alice : bob, url, 'Ping')).status).toBe(200)
          expect((await connection.exchange(packet('Ping', '/uploads/a'))).status).toBe(401)
        }
        expect(usersSeen(server)).toEqual(['alice@EXAMPLE.TEST', 'bob@EXAMPLE.TEST'])
      })
    },
  )

  describe('serve --negotiate', () => {
    test('accepts tickets, names users in the access log, and challenges other requests', async () => {
      const { server, into, origin } = await command('--list')
      expect(await send(alice, await local(), `${origin}/`).exit).toBe(0)
      expect(await readFile(join(into, 'a.bin'))).toEqual(FILE)
      await server.until('stdout', /alice@EXAMPLE\.TEST .*BITS_POST \/a\.bin/)
      expect((await curl(alice, `${origin}/a.bin`, ['-o', '/dev/null'])).status).toBe(200)
      const anonymous = await fetch(`${origin}/`)
      expect([anonymous.status, anonymous.headers.get('WWW-Authenticate')]).toEqual([401, 'Negotiate'])
    })

    test('with --htpasswd, offers both and accepts either', async () => {
      const users = join(await directory(), 'users')
      await writeFile(users, HTPASSWD)
      const { origin, into, url } = await command('--htpasswd', users, '--realm', 'files')
      const connection = await fetch(url, { method: 'PUT' })
      expect(connection.headers.get('WWW-Authenticate')).toBe(
        'Negotiate, Basic realm="files", charset="UTF-8"',
      )
      expect(await send(alice, await local(), `${origin}/`).exit).toBe(0)
      const path = await local()
      const password = { BITS_PASSWORD: 'correct horse' }
      const sending = new Command(['send', path, `${origin}/b.bin`, '--user', 'carol'], { env: password })
      expect(await sending.exit).toBe(0)
      expect(await readFile(join(into, 'b.bin'))).toEqual(FILE)
      const wrong = new Command(['send', path, `${origin}/c.bin`, '--user', 'carol'], {
        env: { BITS_PASSWORD: 'x' },
      })
      expect(await wrong.exit).toBe(3)
    })

    test.each([
      ['a keytab that does not exist', '/nonexistent/x.keytab', [], 2, /--keytab is .*use a keytab .*ENOENT/],
      [
        'a keytab of something else',
        undefined,
        [],
        1,
        /--negotiate: No ticket for HTTP can be accepted: .*klist -k/,
      ],
      [
        'a service that the keytab lacks',
        'http',
        ['--service', 'HTTP@other'],
        1,
        /No ticket for HTTP@other.*klist -k/,
      ],
    ])('does not start with %s', async (_what, keytab, flags, exitCode, message) => {
      const path = keytab === 'http' ? kdc.keytab : (keytab ?? kdc.file('alice.keytab'))
      const words = ['serve', await directory(), '--port', '0', '--negotiate', '--keytab', path, ...flags]
      const server = new Command(words, { env: kdc.env() })
      expect(await server.exit).toBe(exitCode)
      expect(server.stderr).toMatch(message)
      expect(server.stderr).not.toMatch(/\n.*\n/)
    })

    test('accepts an Authorization header of 16 KB', async () => {
      const { server } = await command()
      const connection = await connect({ port: server.port })
      const token = Buffer.alloc(16_000, 7).toString('base64')
      const ack = await connection.exchange(packet('Ping', '/a', { Authorization: `Negotiate ${token}` }))
      expect(ack.status).toBe(401)
    })
  })

  test('a server without the key of the service is recognized', async () => {
    const { url } = await served()
    const { header } = await curlPacket(alice, url, 'Ping')
    // The proof from another exchange.
    const proof = header('WWW-Authenticate') ?? ''
    const impostor = await start(
      { storage: new MemoryStorage() },
      {
        before: (app) => {
          app.use((_req, res, next) => {
            res.set('WWW-Authenticate', proof)
            next()
          })
        },
      },
    )
    const sending = send(alice, await local(), `http://localhost:${impostor.port}/uploads/`)
    expect(await sending.exit).toBe(3)
    expect(sending.stderr).toMatch(/^error: The server at localhost:\d+ could not prove its identity: /m)
  })

  test('send without a ticket says what to do', async () => {
    const { origin } = await served()
    const sending = send(kdc.env('nobody'), await local(), `${origin}/uploads/`)
    expect(await sending.exit).toBe(1)
    expect(sending.stderr).toMatch(/^error: --negotiate: .*kinit/)
  })

  test('send without --negotiate names the flag', async () => {
    const { origin } = await served()
    const sending = new Command(['send', await local(), `${origin}/uploads/`])
    expect(await sending.exit).toBe(3)
    expect(sending.stderr).toMatch(/--negotiate for a Kerberos ticket/)
  })

  test('the documented server and client', async () => {
    const { text, language } = block('js', { in: 'docs/authentication.md#Windows accounts' })
    const server = await temp.project.serve(
      { text: text.replace('/etc/uploads.keytab', kdc.keytab).replace('EXAMPLE.COM', REALM), language },
      kdc.env(),
    )
    const client = block('js', { in: 'docs/authentication.md#Kerberos from Node' }).text
    const path = join(temp.project.source, 'client.js')
    const origin = `http://localhost:${server.port}`
    await writeFile(
      path,
      client.replace('https://files.example.com', origin).replace('today.zip', temp.local),
    )
    const uploadAs = async (user: User) => {
      const env = await kdc.login(user)
      const command = new Command([], { arguments: [path], env })
      return [await command.exit, command.stderr]
    }
    expect(await uploadAs('PC01$')).toEqual([0, ''])
    expect(await temp.read('uploads/pc01/today.zip')).toEqual(DOCUMENTED)
    expect(await uploadAs('alice')).toEqual([1, expect.stringMatching(/403/)])
  })
})
