import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, bitsUpload, MemoryStorage, type SessionInfo } from 'express-bits-upload'
import { Application, ok } from '../delivery/application.js'
import { upload } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, createSession, fragment, openSession, packet } from '../support/raw.js'
import { RecordingLogger } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(3000)

const serveMemory = (options: BitsUploadOptions = {}) => start({ storage: new MemoryStorage(), ...options })

const withoutLength = (request: Buffer): string =>
  request.toString('latin1').replace('Content-Length: 0\r\n', '')

/** A packet as forwarded by a proxy that uses HTTP/1.0. */
function asHttp10(request: Buffer): Buffer {
  const text = request.toString('latin1')
  return Buffer.from(text.replace('HTTP/1.1', 'HTTP/1.0').replace('Keep-Alive', 'close'), 'latin1')
}

test('D19: packets without a body need no Content-Length, as many clients and proxies send none', async () => {
  const connection = await connect(await serveMemory())
  expectAck(await connection.exchange(withoutLength(packet('Ping', PATH))), { status: 200 })
  const created = await connection.exchange(withoutLength(createSession(PATH)))
  const session = created.header('BITS-Session-Id') ?? ''
  expectAck(created, { status: 200, session })
  expect((await connection.exchange(fragment(PATH, session, FILE))).status).toBe(200)
  expectAck(await connection.exchange(withoutLength(closeSession(PATH, session))), { status: 200, session })
  const other = await openSession(connection, '/uploads/other.bin')
  const cancel = withoutLength(cancelSession('/uploads/other.bin', other))
  expectAck(await connection.exchange(cancel), { status: 200, session: other })
})

test('D35: tokens, tickets, cookies and proxy headers may be larger than 4 KB', async () => {
  const connection = await connect(await serveMemory())
  for (const name of ['Authorization', 'Cookie', 'X-Forwarded-Client-Cert', 'X-Custom', 'User-Agent']) {
    expectAck(await connection.exchange(packet('Ping', PATH, { [name]: 'x'.repeat(10_000) })), {
      status: 200,
    })
  }
})

test('D36: HTTP/1.0 with a Content-Length is accepted, with one warning', async () => {
  const running = await serveMemory()
  const exchange = async (request: Buffer) => (await connect(running)).exchange(asHttp10(request))
  const session = (await exchange(createSession(PATH))).header('BITS-Session-Id') ?? ''
  expectAck(await exchange(fragment(PATH, session, FILE)), { status: 200, session, offset: FILE.length })
  expectAck(await exchange(closeSession(PATH, session)), { status: 200, session })
  const warnings = running.logger.lines.filter((line) => line.includes('HTTP/1.0'))
  expect(warnings).toEqual([expect.stringMatching(/^warn: .*proxy_http_version 1\.1/)])
})

test('D36: a fragment of HTTP/1.0 without a Content-Length is refused like any other', async () => {
  const running = await serveMemory()
  const session = await openSession(await connect(running), PATH)
  const headers = { 'BITS-Session-Id': session, 'Content-Range': 'bytes 0-9/10', 'Content-Length': undefined }
  const ack = await (await connect(running)).exchange(asHttp10(packet('Fragment', PATH, headers)))
  expectAck(ack, { status: 411, error: '0x80070057', session, offset: 0 })
})

test('a mount path that matches whole URLs is named as the cause', async () => {
  const running = await start({ storage: new MemoryStorage() }, { mount: '/uploads/*path' })
  const ack = await (await connect(running)).exchange(createSession('/uploads/a/b.bin'))
  expectAck(ack, { status: 400, error: '0x80070057' })
  expect(running.logger.lines.join('\n')).toMatch(/\/uploads\/a\/b\.bin is the mount path itself/)
})

describe('a notification', () => {
  const notifying = async (answer: string, options: BitsUploadOptions = {}) => {
    const application = await Application.start(answer)
    afterwards(() => application.stop())
    const notification = { type: 'by-value' as const, url: application.url }
    return { application, running: await serveMemory({ notification, ...options }) }
  }

  test('D38: names the host of Create-Session, even if a host id sends the fragments to another host', async () => {
    const { application, running } = await notifying(ok(), { hostId: 'upload2.example.com' })
    const connection = await connect(running)
    const to = (host: string, request: Buffer) =>
      Buffer.from(request.toString('latin1').replace('Host: 127.0.0.1', `Host: ${host}`), 'latin1')
    const created = await connection.exchange(to('upload.example.com:81', createSession(`${PATH}?a=b`)))
    const session = created.header('BITS-Session-Id') ?? ''
    const last = to('upload2.example.com', fragment(`${PATH}?a=b`, session, FILE))
    expect((await connection.exchange(last)).status).toBe(200)
    expect(application.notifications[0]?.headers['bits-original-request-url']).toBe(
      `http://upload.example.com:81${PATH}?a=b`,
    )
  })

  test('with an empty static URL has no static URL (MC-BUP 3.3.5.2.4)', async () => {
    const { running } = await notifying(ok({ 'BITS-Static-Response-URL': '' }, 'the reply'))
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.status).toBe(200)
    expect(ack.header('BITS-Reply-URL')).toMatch(/^BITS-Sessions\\Replies\\/)
  })
})

test('with a host id, the reply has an absolute URL: otherwise, clients would ask the original host', async () => {
  const storage = new MemoryStorage()
  const options: BitsUploadOptions = { storage, onUpload: () => 'the reply' }
  const running = await start({ ...options, hostId: 'upload2.example.com:8080' })
  const { id, ack } = await upload(await connect(running), '/uploads/a/file.bin?x=/y', FILE)
  const guid = id.slice(1, -1)
  const path = `/uploads/a/BITS-Sessions/Replies/%7B${guid}%7D/responsefile.bin`
  expect(ack.header('BITS-Reply-URL')).toBe(`http://upload2.example.com:8080${path}`)
  const reply = await fetch(running.origin + path)
  expect(await reply.text()).toBe('the reply')
})

test('a published upload whose client never closed it does not expire', async () => {
  const running = await start({
    directory: await directory(),
    sessionTimeout: 0.2,
    cleanupInterval: 0.05,
  })
  const expired: SessionInfo[] = []
  running.bits.on('expired', (session) => expired.push(session))
  const connection = await connect(running)
  await upload(connection, PATH, FILE)
  await openSession(connection, '/uploads/abandoned.bin')
  while (expired.length === 0 || (await running.bits.sessions()).length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(expired.map(({ destination }) => destination)).toEqual(['abandoned.bin'])
})

test('control characters and bidi marks from a client reach no log', async () => {
  const running = await serveMemory()
  const connection = await connect(running)
  const raw = (type: string, extra: Record<string, string>) => packet(type, PATH, extra)
  const sent = [
    raw('Ping\u009b2J', {}),
    raw('Fragment', {
      'BITS-Session-Id': '{x}',
      'Content-Encoding': 'a\u0085b',
      'Content-Range': 'bytes 0-0/1',
    }),
    raw('Fragment', { 'BITS-Session-Id': '{x}', 'Content-Range': 'bytes \u009b31m' }),
    createSession(`/uploads/a${encodeURIComponent('\u202e')}b/`),
    createSession(`/uploads/${encodeURIComponent('\u0085')}`),
  ]
  for (const request of sent) expect((await connection.exchange(request)).status).toBeGreaterThanOrEqual(400)
  expect(running.logger.lines).toHaveLength(sent.length)
  for (const line of running.logger.lines) expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
  expect(running.logger.lines.join('\n')).toMatch(/\\x9b2J.*\\x85.*\\x9b31m.*\\u202e/s)
})

test('outside Express every packet is answered, and the log says what to do', async () => {
  const logger = new RecordingLogger()
  const bits = bitsUpload({ storage: new MemoryStorage(), logger })
  afterwards(() => bits.close())
  // As connect and plain servers call it.
  const server = createServer((req, res) => void Reflect.apply(bits, undefined, [req, res, () => res.end()]))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(() => server.close())
  const connection = await connect({ port: (server.address() as AddressInfo).port })
  for (const request of [createSession(PATH), createSession(PATH)]) {
    expectAck(await connection.exchange(request), { status: 500, error: '0x80004005' })
  }
  expect(logger.lines).toEqual([expect.stringMatching(/^error: .*does not come from Express/)])
})

test('over HTTP/2 every packet is answered, and the log says what to do', async () => {
  const logger = new RecordingLogger()
  const bits = bitsUpload({ storage: new MemoryStorage(), logger })
  afterwards(() => bits.close())
  const server = createHttp2Server(
    (req, res) => void Reflect.apply(bits, undefined, [req, res, () => res.end()]),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(() => server.close())
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  afterwards(() => session.destroy())
  for (const body of ['', '', 'x'.repeat(100_000)]) {
    const stream = session.request({ ':method': 'BITS_POST', ':path': PATH, 'content-length': body.length })
    stream.end(body)
    const [headers] = await once(stream, 'response')
    expect([headers[':status'], headers['bits-packet-type']]).toEqual([500, 'Ack'])
    stream.close()
  }
  expect(logger.lines).toEqual([
    expect.stringMatching(/^error: .*came over HTTP\/2.* Serve it from node:http/),
  ])
})
