import { access, readFile, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, jest, test } from '@jest/globals'
import type { Request } from 'express'
import { FileStorage, MemoryStorage, type NotificationOptions } from 'express-bits-upload'

import { expectAck } from '../support/expect-ack.js'
import { stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession, PROTOCOL, packet } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'
import { type Answer, Application, ok, response } from './application.js'
import { ask, replyPath, upload } from './support.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/dir/file.bin'
const FILE = contentOf(300_000)

async function application(answer?: Answer | string): Promise<Application> {
  const started = await Application.start(answer)
  afterwards(() => started.stop())
  return started
}

describe('a notification by reference', () => {
  test('is a POST with the headers of the capture, in the same order, and no body', async () => {
    const root = await directory()
    const app = await application()
    const running = await start({ directory: root, notification: { type: 'by-reference', url: app.url } })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.status).toBe(200)
    const [notification] = app.notifications
    expect(notification?.requestLine).toBe('POST /app/handler.asp HTTP/1.1')
    expect(notification?.lines).toEqual([
      'Accept: */*',
      `BITS-Original-Request-URL: http://127.0.0.1${PATH}`,
      expect.stringMatching(`^BITS-Request-DataFile-Name: ${root}/BITS-Sessions/[0-9a-f]{32}\\.part$`),
      expect.stringMatching(`^BITS-Response-DataFile-Name: ${root}/BITS-Sessions/[0-9a-f]{32}\\.reply$`),
      'User-Agent: BITSExts 1.5',
      `Host: 127.0.0.1:${app.port}`,
      'Content-Length: 0',
      'Connection: Keep-Alive',
    ])
    expect(app.notifications).toHaveLength(1)
  })

  test('has the default timeout and headers if the options are left out', async () => {
    const app = await application()
    const notification = {
      type: 'by-reference',
      url: app.url,
      timeout: undefined,
      headers: undefined,
    } as const
    const running = await start({ directory: await directory(), notification })
    expect((await upload(await connect(running), PATH, FILE)).ack.status).toBe(200)
    expect(app.notifications).toHaveLength(1)
  })

  test('names a file with all the bytes', async () => {
    let content: Buffer | undefined
    const app = await application(async ({ headers }) => {
      content = await readFile(headers['bits-request-datafile-name'] ?? '')
      return ok()
    })
    const running = await start({
      directory: await directory(),
      notification: { type: 'by-reference', url: app.url },
    })
    await upload(await connect(running), PATH, FILE)
    expect(content?.equals(FILE)).toBe(true)
  })

  test('for a directory with a non-ASCII name has a path in UTF-8', async () => {
    const root = join(await directory(), 'Ünïcode')
    const app = await application()
    const running = await start({ directory: root, notification: { type: 'by-reference', url: app.url } })
    await upload(await connect(running), PATH, FILE)
    const name = Buffer.from(app.notifications[0]?.headers['bits-request-datafile-name'] ?? '', 'latin1')
    expect(name.toString('utf8')).toContain(root)
  })

  test('is answered with a file: the file is the reply, whatever the body says', async () => {
    const reply = contentOf(200_000)
    const app = await application(async ({ headers }) => {
      await writeFile(headers['bits-response-datafile-name'] ?? '', reply)
      return ok({}, 'not me')
    })
    const running = await start({
      directory: await directory(),
      notification: { type: 'by-reference', url: app.url },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect((await ask(running, replyPath(PATH, ack))).body.equals(reply)).toBe(true)
  })

  test('is answered with a body and no file: the body is the reply (D14)', async () => {
    const app = await application(ok({}, 'me'))
    const running = await start({
      directory: await directory(),
      notification: { type: 'by-reference', url: app.url },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect((await ask(running, replyPath(PATH, ack))).body.toString()).toBe('me')
  })

  test('is answered with neither: there is no reply (D15)', async () => {
    const app = await application()
    const running = await start({
      directory: await directory(),
      notification: { type: 'by-reference', url: app.url },
    })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 200, session: id, offset: FILE.length })
    expect(ack.header('BITS-Reply-URL')).toBeUndefined()
  })

  test('whose application fails after it wrote a reply: the repeated delivery does not use that reply', async () => {
    const app = await application(async ({ headers }) => {
      await writeFile(headers['bits-response-datafile-name'] ?? '', 'from the failure')
      return response(500)
    })
    const running = await start({
      directory: await directory(),
      notification: { type: 'by-reference', url: app.url },
    })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expect(ack.status).toBe(500)
    app.answer = () => ok()
    const again = await connection.exchange(fragment(PATH, id, FILE))
    expectAck(again, { status: 200, session: id, offset: FILE.length })
    expect(again.header('BITS-Reply-URL')).toBeUndefined()
  })

  test('needs a storage with paths', async () => {
    const notification = { type: 'by-reference', url: 'http://127.0.0.1/' } as const
    await expect(start({ storage: new MemoryStorage(), notification })).rejects.toThrow(
      "use a FileStorage, or type: 'by-value'",
    )
  })
})

describe('a notification by value', () => {
  test('carries the bytes as its body, and no paths', async () => {
    const app = await application()
    const running = await start({
      storage: new MemoryStorage(),
      notification: { type: 'by-value', url: app.url },
    })
    await upload(await connect(running), PATH, FILE)
    const [notification] = app.notifications
    expect(notification?.requestLine).toBe('POST /app/handler.asp HTTP/1.1')
    expect(notification?.lines).toEqual([
      'Accept: */*',
      `BITS-Original-Request-URL: http://127.0.0.1${PATH}`,
      'User-Agent: BITSExts 1.5',
      `Host: 127.0.0.1:${app.port}`,
      `Content-Length: ${FILE.length}`,
      'Connection: Keep-Alive',
    ])
    expect(notification?.body.equals(FILE)).toBe(true)
  })

  test('carries an empty file, too', async () => {
    const app = await application()
    const storage = new MemoryStorage()
    const running = await start({ storage, notification: { type: 'by-value', url: app.url } })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(app.notifications[0]?.headers['content-length']).toBe('0')
    expect(storage.files.has('dir/file.bin')).toBe(true)
  })

  test.each([
    ['with its length', (body: string) => ok({}, body)],
    [
      'that ends with its connection',
      (body: string) =>
        `HTTP/1.1 200 OK\r\nConnection: close\r\nBITS-Copy-File-To-Destination: 1\r\n\r\n${body}`,
    ],
    [
      'in chunks',
      (body: string) =>
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nBITS-Copy-File-To-Destination: 1\r\n\r\n` +
        `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ])('is answered with a body %s: the body is the reply', async (name, answer) => {
    const root = await directory()
    const app = await application((_notification, socket) => {
      socket.write(answer('the reply'), 'latin1')
      if (name.includes('connection')) socket.end()
      return undefined
    })
    const running = await start({ directory: root, notification: { type: 'by-value', url: app.url } })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect((await ask(running, replyPath(PATH, ack))).body.toString()).toBe('the reply')
    expect(await readFile(join(root, 'dir/file.bin'))).toEqual(FILE)
  })
})

describe('the response to a notification', () => {
  test.each([
    ['without BITS-Copy-File-To-Destination: the file is the application’s alone', {}, false],
    ['with BITS-Copy-File-To-Destination, empty', { 'BITS-Copy-File-To-Destination': '' }, true],
    ['with bits-copy-file-to-destination: false', { 'bits-copy-file-to-destination': 'false' }, true],
  ])('%s', async (_name, headers, published) => {
    const root = await directory()
    const app = await application(response(200, headers))
    const running = await start({ directory: root, notification: { type: 'by-value', url: app.url } })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.status).toBe(200)
    const found = await access(join(root, 'dir/file.bin')).then(
      () => true,
      () => false,
    )
    expect(found).toBe(published)
    expect((await stagedFiles(root)).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  test('with BITS-Static-Response-URL: the client gets that URL', async () => {
    const url = 'https://replies.example.com/static.xml'
    const app = await application(ok({ 'BITS-Static-Response-URL': url }, 'not me'))
    const running = await start({
      storage: new MemoryStorage(),
      notification: { type: 'by-value', url: app.url },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('BITS-Reply-URL')).toBe(url)
  })

  test('with BITS-Static-Response-URL and a reply file: the client gets only the URL', async () => {
    const app = await application(async ({ headers }) => {
      await writeFile(headers['bits-response-datafile-name'] ?? '', 'not me')
      return ok({ 'BITS-Static-Response-URL': 'https://replies.example.com/static.xml' })
    })
    const root = await directory()
    const running = await start({ directory: root, notification: { type: 'by-reference', url: app.url } })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('BITS-Reply-URL')).toBe('https://replies.example.com/static.xml')
    const kept = `/uploads/dir/BITS-Sessions/Replies/%7B${id.slice(1, -1)}%7D/responsefile.bin`
    expect((await ask(running, kept)).status).toBe(404)
  })

  test.each(['by-reference', 'by-value'] as const)(
    'of %s with extra bytes after its end, which break the connection, still counts',
    async (type) => {
      const app = await application('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef')
      const running = await start({ directory: await directory(), notification: { type, url: app.url } })
      for (let n = 0; n < 10; n++) {
        const { ack } = await upload(await connect(running), `/uploads/dir/${n}`, FILE)
        expect(ack.status).toBe(200)
        expect((await ask(running, replyPath(PATH, ack))).body.toString()).toBe('ab')
      }
    },
  )

  test('has to come within 240 s by default: the client waits 300 s for its Ack', async () => {
    const limits = jest.spyOn(AbortSignal, 'timeout')
    afterwards(() => limits.mockRestore())
    const app = await application()
    const running = await start({
      directory: await directory(),
      notification: { type: 'by-reference', url: app.url },
    })
    expect((await upload(await connect(running), PATH, FILE)).ack.status).toBe(200)
    expect(limits.mock.calls).toEqual([[240_000]])
  })

  test('may have a timeout with fractions of milliseconds', async () => {
    const app = await application()
    const notification = { type: 'by-value', url: app.url, timeout: 2.0100004 } as const
    const running = await start({ storage: new MemoryStorage(), notification })
    expect((await upload(await connect(running), PATH, FILE)).ack.status).toBe(200)
  })

  test.each([201, 202, 204])('of %d counts as success', async (status) => {
    const app = await application(
      `HTTP/1.1 ${status} Fine\r\nBITS-Copy-File-To-Destination: 1\r\nContent-Length: 0\r\n\r\n`,
    )
    const storage = new MemoryStorage()
    const running = await start({ storage, notification: { type: 'by-value', url: app.url } })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.status).toBe(200)
    expect(storage.files.has('dir/file.bin')).toBe(true)
  })

  test('leaves no connection open', async () => {
    const app = await application(ok({}, 'reply'))
    const running = await start({
      storage: new MemoryStorage(),
      notification: { type: 'by-value', url: app.url },
    })
    await upload(await connect(running), PATH, FILE)
    while (app.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  })
})

describe('the URL of a notification', () => {
  /** Notifications to this server itself, as its own middleware received them. */
  async function own(url: string, path: string, host = '127.0.0.1', mount = '/uploads') {
    const posts: Record<'method' | 'url' | 'host' | 'original' | 'authorization', string | undefined>[] = []
    const storage = new MemoryStorage()
    const running = await start(
      { storage, notification: { type: 'by-value', url } },
      {
        mount,
        before: (app) =>
          app.use((req: Request, res, next) => {
            if (req.method !== 'POST') return next()
            posts.push({
              method: req.method,
              url: req.originalUrl,
              host: req.get('Host'),
              original: req.get('BITS-Original-Request-URL'),
              authorization: req.get('Authorization'),
            })
            req.resume()
            req.on('end', () => res.set('BITS-Copy-File-To-Destination', '1').end())
          }),
      },
    )
    const connection = await connect(running)
    const created = await connection.exchange(
      packet('Create-Session', path, { Host: host, 'BITS-Supported-Protocols': PROTOCOL }),
    )
    const id = created.header('BITS-Session-Id') ?? ''
    const ack = await connection.exchange(
      packet(
        'Fragment',
        path,
        { Host: host, 'BITS-Session-Id': id, 'Content-Range': 'bytes 0-4/5' },
        FILE.subarray(0, 5),
      ),
    )
    return { posts, ack, id, storage }
  }

  test.each([
    ['handler.asp', '/uploads/dir/file.bin', '/uploads/dir/handler.asp'],
    ['../handler.asp', '/uploads/dir/file.bin', '/uploads/handler.asp'],
    ['sub/handler.asp?x=1', '/uploads/dir/file.bin', '/uploads/dir/sub/handler.asp?x=1'],
    ['/app/handler.asp', '/uploads/dir/file.bin', '/app/handler.asp'],
    ['/app/handler.asp', '/uploads/dir/file.bin?ACCOUNT=873112', '/app/handler.asp?ACCOUNT=873112'],
    ['/app/handler.asp?x=1', '/uploads/dir/file.bin?y=2&z=3', '/app/handler.asp?x=1&y=2&z=3'],
    ['handler.asp', '/uploads/a%20dir/file.bin', '/uploads/a%20dir/handler.asp'],
  ])('%s, with an upload to %s, goes to %s on this server', async (url, path, wanted) => {
    const { posts, ack } = await own(url, path)
    expect(ack.status).toBe(200)
    expect(posts).toEqual([
      { method: 'POST', url: wanted, host: '127.0.0.1', original: `http://127.0.0.1${path}` },
    ])
  })

  test('of another server gets the query of the upload appended (Win32 BITSServerNotificationURL)', async () => {
    const app = await application()
    const url = `http://127.0.0.1:${app.port}/myvdir2/bag.asp`
    const running = await start({ storage: new MemoryStorage(), notification: { type: 'by-value', url } })
    await upload(await connect(running), '/uploads/myvdir/subdir/file.asp?ACCOUNT=86433', FILE)
    expect(app.notifications[0]?.requestLine).toBe('POST /myvdir2/bag.asp?ACCOUNT=86433 HTTP/1.1')
  })

  test('that is relative goes to this server, even with a forged Host', async () => {
    const elsewhere = await application()
    const { posts, ack } = await own('handler.asp', PATH, `127.0.0.1:${elsewhere.port}`)
    expect(ack.status).toBe(200)
    expect(posts).toHaveLength(1)
    expect(posts[0]?.host).toBe(`127.0.0.1:${elsewhere.port}`)
    expect(elsewhere.notifications).toEqual([])
  })

  test('that is relative goes to this server, even with a host in the path', async () => {
    const elsewhere = await application()
    const path = `//127.0.0.1:${elsewhere.port}/file.bin`
    const { posts } = await own('handler.asp', path.replace(':', '%3A'), '127.0.0.1', '/')
    expect(posts).toEqual([])
    const doubled = await own('/handler.asp', '//evil.example.com/file.bin', 'good.example.com', '/')
    expect(doubled.posts).toEqual([
      {
        method: 'POST',
        url: '/handler.asp',
        host: 'good.example.com',
        original: 'http://good.example.com//evil.example.com/file.bin',
      },
    ])
    expect(elsewhere.notifications).toEqual([])
  })

  test('with a request target in absolute form is the target’s', async () => {
    const { posts } = await own('handler.asp', `http://front.example.com${PATH}?a=b`)
    expect(posts).toEqual([
      {
        method: 'POST',
        url: '/uploads/dir/handler.asp?a=b',
        host: 'front.example.com',
        original: `http://front.example.com${PATH}?a=b`,
      },
    ])
  })

  test('does not take or pass on credentials in a request target in absolute form', async () => {
    const { posts } = await own('handler.asp', `http://eve:guess@front.example.com${PATH}`)
    expect(posts).toEqual([
      {
        method: 'POST',
        url: '/uploads/dir/handler.asp',
        host: 'front.example.com',
        original: `http://front.example.com${PATH}`,
        authorization: undefined,
      },
    ])
  })

  test('is never made of a path whose first segment looks like the host, as with an empty Host', async () => {
    const { ack, posts } = await own('handler.asp', PATH, '')
    expect([ack.status, ack.header('BITS-Error-Code'), posts]).toEqual([400, '0x80070057', []])
  })

  test.each(['[::1', 'u/x', 'a@b'])('with the invalid Host "%s" is the client’s error', async (host) => {
    const { ack, id } = await own('handler.asp', PATH, host)
    expectAck(ack, { status: 400, error: '0x80070057', session: id, offset: 5 })
  })

  const WRONG = [
    'ftp://h/x',
    'javascript:1',
    '',
    '//other.example.com/handler.asp',
    '\\\\other.example.com\\x',
    `http://h/${'a'.repeat(2200)}`,
  ]
  test.each(WRONG.map((url) => [url.slice(0, 40), url]))('cannot be "%s"', async (_name, url) => {
    const storage = new MemoryStorage()
    await expect(start({ storage, notification: { type: 'by-value', url } })).rejects.toThrow(/its url is/)
  })

  test('over IPv6', async () => {
    const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
      addresses?.some(({ address }) => address === '::1'),
    )
    if (!hasIpv6) return
    // All other tests listen only in 127.0.0.0/8; a closed port is enough to see where the request went.
    const notification = { type: 'by-value', url: 'http://[::1]:9/' } as const
    const running = await start({ storage: new MemoryStorage(), notification })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('BITS-Error-Code')).toBe('0x80072EFD')
  })
})

describe('credentials in the URL of a notification', () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  const SECRETS = ['s3cret', basic('bob:s3cret').slice(6)]

  /** Uploads with a notification whose URL contains credentials. @returns everything that was logged or sent. */
  async function withCredentials(
    credentials: string,
    answer?: Answer | string,
    options: Partial<NotificationOptions> = {},
  ) {
    const app = await application(answer)
    const url = app.url.replace('//', `//${credentials}@`)
    const notification = { type: 'by-value', url, ...options } as const
    const running = await start({ storage: new MemoryStorage(), notification })
    const errors: unknown[] = []
    running.bits.on('error', (error, origin) => errors.push(error, origin))
    const { ack } = await upload(await connect(running), `${PATH}?a=b`, FILE)
    return { app, running, ack, said: inspect([errors, running.logger.lines, ack], { depth: 20 }) }
  }

  test.each([
    ['bob:s3cret', 'bob:s3cret'],
    ['bob', 'bob:'],
    [':s3cret', ':s3cret'],
    ['d%C3%B6m%5Cb%40b:p%3Aw%2F%E2%82%AC%25%20', 'd\u00f6m\\b@b:p:w/\u20ac% '],
    ['dömäin:€', 'd\u00f6m\u00e4in:\u20ac'],
    ['100%:50%zz', '100%:50%zz'],
  ])('%s are sent as Authorization, percent-decoded, in UTF-8', async (written, meant) => {
    const { app, ack } = await withCredentials(written)
    expect(ack.status).toBe(200)
    const [notification] = app.notifications
    expect(notification?.requestLine).toBe('POST /app/handler.asp?a=b HTTP/1.1')
    expect(notification?.headers).toMatchObject({
      authorization: basic(meant),
      host: `127.0.0.1:${app.port}`,
      'bits-original-request-url': `http://127.0.0.1${PATH}?a=b`,
    })
  })

  test.each(['Authorization', 'authorization'])('are overridden by the header %s', async (name) => {
    const { app } = await withCredentials('bob:s3cret', ok(), { headers: { [name]: 'Bearer token' } })
    const lines = app.notifications[0]?.lines.filter((line) => /^authorization:/i.test(line))
    expect(lines).toEqual([`${name}: Bearer token`])
  })

  test.each<[string, Answer | string, number]>([
    ['accepts', ok(), 200],
    ['refuses', response(401), 400],
    ['gives no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 500],
    ['answers a wrong URL', ok({ 'BITS-Static-Response-URL': 'reply.xml' }), 411],
    ['breaks off', (_notification, socket) => void socket.resetAndDestroy(), 500],
    ['does not answer', () => undefined, 408],
  ])('are sent to no other host if the application %s', async (_name, answer, status) => {
    const { ack, said } = await withCredentials('bob:s3cret', answer, { timeout: 0.5 })
    expect(ack.status).toBe(status)
    for (const secret of SECRETS) expect(said).not.toContain(secret)
  })

  test('are not sent if the application cannot be reached', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      notification: { type: 'by-value', url: 'http://bob:s3cret@nobody.invalid/' },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('BITS-Error-Code')).toBe('0x80072EFD')
    const said = inspect([running.logger.lines, ack], { depth: 20 })
    expect(said).toContain('nobody.invalid')
    for (const secret of SECRETS) expect(said).not.toContain(secret)
  })
})

describe('additional headers of a notification', () => {
  test('are sent along with those of the protocol', async () => {
    const app = await application()
    const running = await start({
      storage: new FileStorage({ directory: await directory() }),
      notification: {
        type: 'by-value',
        url: app.url,
        headers: { Authorization: 'Bearer token', 'X-Department': 'accounting' },
      },
    })
    await upload(await connect(running), PATH, FILE)
    expect(app.notifications[0]?.headers).toMatchObject({
      authorization: 'Bearer token',
      'x-department': 'accounting',
      'content-length': String(FILE.length),
      'user-agent': 'BITSExts 1.5',
    })
  })
})
