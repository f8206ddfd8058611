import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { BitsError, type BitsUploadOptions, MemoryStorage } from 'express-bits-upload'
import { maskName, maskRequestUrl, maskSessionId } from '../../lib/logging/mask.js'
import { maskHeader } from '../../lib/logging/mask-header.js'
import { writePacket } from '../../lib/logging/packet-log.js'
import { bundleScript } from '../support/bundle-script.js'
import { fragment, openSession, PROTOCOL, packet, RawConnection } from '../support/raw.js'
import { type Running, serve, temporaryDirectory } from '../support/serve.js'

const SECRETS = [
  'S3CRET-user',
  'S3CRET-password',
  'S3CRET-cookie',
  'S3CRET-token',
  'S3CRET-query',
  'S3CRET-bare-query',
  'S3CRET-header',
  'S3CRET-folder',
  'S3CRET-file',
  'S3CRET-name',
  'S3CRET-agent',
  'S3CRET-accept',
  'S3CRET-realm',
  's3cret.example',
]
const PATH = '/uploads/S3CRET-folder/S3CRET-file.xml?sig=S3CRET-query&S3CRET-bare-query'
const CREDENTIALS = Buffer.from('S3CRET-user:S3CRET-password').toString('base64')
const HEADERS = {
  Accept: 'S3CRET-accept/plain',
  'User-Agent': 'Microsoft BITS/7.8 (S3CRET-agent)',
  Host: 's3cret.example:8080',
  Authorization: `Basic ${CREDENTIALS}`,
  'Proxy-Authorization': 'Bearer S3CRET-token',
  Cookie: 'sid=S3CRET-cookie',
  'X-Api-Key': 'S3CRET-header',
  'Content-Name': 'S3CRET-name.xml',
  'X-Forwarded-Host': 's3cret.example',
}

const PING_ITSELF = new URL('../fixtures/ping-itself.ts', import.meta.url)

let lines: string[]
let running: Running | undefined

beforeEach(() => {
  lines = []
})

afterEach(async () => {
  await running?.stop()
  running = undefined
})

/** A server whose packets are logged to `lines`. */
const serveLogged = (options: BitsUploadOptions): Promise<Running> =>
  serve(options, {
    before: (app) =>
      app.use((req, res, next) => {
        writePacket(req, res, (text) => lines.push(text))
        next()
      }),
  })

/**
 * Returns the log once it contains this many Acks: an Ack is logged after it was sent, perhaps after the client has
 * received it.
 */
async function logWith(acks: number): Promise<string> {
  const end = Date.now() + 5_000
  while (Date.now() < end && (lines.join('\n').match(/^< (?:HTTP|no response)/gm) ?? []).length < acks) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return lines.join('\n')
}

describe('the packet log', () => {
  test('shows an upload with secrets in every place, without any of them', async () => {
    running = await serveLogged({
      storage: new MemoryStorage(),
      authorize: (req) => {
        if (req.get('authorization')) return true
        throw new BitsError(
          { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="S3CRET-realm"' } },
          '',
        )
      },
    })
    const connection = await RawConnection.open(running.port)
    const send = async (type: string, extra: Record<string, string | undefined> = {}, body?: Buffer) => {
      connection.write(packet(type, PATH, { ...HEADERS, ...extra }, body))
      return connection.ack()
    }
    expect((await send('Ping', { Authorization: undefined })).status).toBe(401)
    const created = await send('Create-Session', { 'BITS-Supported-Protocols': PROTOCOL })
    const id = created.header('BITS-Session-Id') ?? ''
    const body = Buffer.from('S3CRET-body')
    const ack = await send('Fragment', { 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-10/11' }, body)
    expect(ack.status).toBe(200)
    expect((await send('Close-Session', { 'BITS-Session-Id': id.toLowerCase() })).status).toBe(200)
    connection.end()

    const log = await logWith(4)
    for (const secret of [...SECRETS, CREDENTIALS, id, id.slice(1, -1)]) {
      expect(log.toLowerCase()).not.toContain(secret.toLowerCase())
    }
    expect(log).not.toMatch(/s3cret/i)
    expect(log).toContain('> BITS_POST /xxxxxxx/xxxxxxxxxxxxx/xxxxxxxxxxx.xml?sig=<12>&<17> HTTP/1.1')
    expect(log).toMatch(/^> Authorization: Basic <\d+>$/m)
    expect(log).toContain('> X-Api-Key: <13>')
    expect(log).toContain('> Host: <host>:8080')
    expect(log).toContain('> User-Agent: Microsoft BITS/7.8 <14>')
    expect(log).toContain('> Content-Range: bytes 0-10/11')
    expect(log).toMatch(/^< HTTP\/1.1 401$/m)
    expect(log).toMatch(/^< WWW-Authenticate: Basic <\d+>$/m)
    expect(log).toContain('< BITS-Received-Content-Range: 11')
    expect(log).toMatch(/connection \d+, packet 3, at \d+ ms, after \d+ ms, body: 11 bytes/)
    // The session has one name, even if packets spell its id differently.
    const number = /^< BITS-Session-Id: \{SESSION-(\d+)\}$/m.exec(log)?.[1]
    expect(log).toContain(`> BITS-Session-Id: {session-${number}}`)
  })

  test('shows how a reply is fetched, but not its content', async () => {
    const directory = await temporaryDirectory()
    running = await serveLogged({ directory: directory.path, onUpload: () => 'S3CRET-reply' })
    const connection = await RawConnection.open(running.port)
    const id = await openSession(connection, PATH)
    connection.write(fragment(PATH, id, Buffer.from('S3CRET-body')))
    const url = (await connection.ack()).header('BITS-Reply-URL') ?? ''
    const path = new URL(url, `${running.origin}${PATH}`).pathname
    connection.write(`GET ${path} HTTP/1.1\r\nHost: s3cret.example\r\nRange: bytes=0-5\r\n\r\n`)
    expect((await connection.ack()).body.toString()).toBe('S3CRET')
    const log = await logWith(3)
    connection.end()
    await directory.remove()
    expect(log).not.toMatch(/s3cret/i)
    expect(log).not.toContain(id.slice(1, -1))
    expect(log).toMatch(/^> GET \S+\/BITS-Sessions\/Replies\/\S+\/responsefile\.bin HTTP\/1\.1$/m)
    expect(log).toContain('> Range: bytes=0-5')
    expect(log).toContain('< Content-Range: bytes 0-5/12')
  })

  test('keeps the order of the headers on the wire', async () => {
    running = await serveLogged({ storage: new MemoryStorage() })
    const connection = await RawConnection.open(running.port)
    connection.write(packet('Ping', '/uploads/a'))
    await connection.ack()
    const log = await logWith(1)
    const names = [...log.matchAll(/^> ([\w-]+): /gm)].map(([, name]) => name)
    expect(names).toEqual([
      'Accept',
      'BITS-Packet-Type',
      'User-Agent',
      'Host',
      'Content-Length',
      'Connection',
    ])
  })

  test('shows that a connection broke in the middle of a body', async () => {
    running = await serveLogged({ storage: new MemoryStorage() })
    const connection = await RawConnection.open(running.port)
    connection.write(packet('Create-Session', '/uploads/a', { 'BITS-Supported-Protocols': PROTOCOL }))
    const id = (await connection.ack()).header('BITS-Session-Id') ?? ''
    const extra = { 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-99/100', 'Content-Length': 100 }
    connection.write(packet('Fragment', '/uploads/a', extra, Buffer.alloc(10)))
    await new Promise((resolve) => setTimeout(resolve, 50))
    connection.reset()
    const log = await logWith(2)
    expect(log).toMatch(/body: at least \d+ bytes of 100, then the connection was lost/)
    expect(log).toContain('< no response')
  })

  test.each([
    ['express-bits-upload:packets', 1],
    ['express-bits-upload', 0],
  ])(
    'with NODE_DEBUG=%s, a process logs %i of its packets',
    async (NODE_DEBUG, count) => {
      const child = spawn(process.execPath, ['-'], {
        env: { ...process.env, NODE_DEBUG },
        stdio: ['pipe', 'ignore', 'pipe'],
      })
      child.stdin.end(await bundleScript(PING_ITSELF, 'cjs'))
      let log = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
      const [code] = await once(child, 'close')
      expect(code).toBe(0)
      expect(
        log.match(/^EXPRESS-BITS-UPLOAD:PACKETS \d+: connection 1, packet 1, at 0 ms$/gm) ?? [],
      ).toHaveLength(count)
      expect(log.match(/^> BITS-Packet-Type: Ping$/gm) ?? []).toHaveLength(count)
      // Requests that are not BITS are not logged.
      expect(log).not.toContain('> GET')
    },
    60_000,
  )
})

describe('what is masked', () => {
  test.each([
    ['/a.txt', '/x.txt'],
    ['/logs/%C3%84rger.tar.gz', '/xxxx/%xx%xxxxxxxxxx.gz'],
    ['/\u00c3\u0084', '/??'],
    ['http://user:pass@host.example:81/a', 'http://<user>@<host>:81/x'],
    ['/a?k=v;w=xyz&long', '/x?k=<1>;w=<3>&<4>'],
    ['/a#frag', '/x#<4>'],
    ['/a/../b', '/x/../x'],
    ['/eyJh.eyJz.SflKxwRJSMeKKF2QT4fw', '/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'],
  ])('%s is shown as %s', (url, shown) => {
    expect(maskRequestUrl(url)).toBe(shown)
  })

  test('a reply URL keeps the names defined by the protocol', () => {
    const id = '{A0FF5911-4144-45B3-BF27-27AFC8EC8A67}'
    const name = maskSessionId(id)
    expect(maskHeader('BITS-Reply-URL', `BITS-Sessions\\Replies\\${id}\\responsefile.bin`)).toBe(
      `BITS-Sessions\\Replies\\${name}\\responsefile.bin`,
    )
    expect(maskName('%7BA0FF5911-4144-45B3-BF27-27AFC8EC8A67%7D')).toBe(`%7b${name.slice(1, -1)}%7d`)
  })

  test('a harmless header with an unexpected value is also masked', () => {
    expect(maskHeader('Content-Length', '12')).toBe('12')
    expect(maskHeader('Content-Length', 'S3CRET')).toBe('<6>')
    expect(maskHeader('__proto__', 'S3CRET')).toBe('<6>')
    expect(maskHeader('BITS-Session-Id', 'S3CRET')).toBe('<6>')
  })
})
