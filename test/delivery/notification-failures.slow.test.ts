import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'

import { expectAck } from '../support/expect-ack.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { fragment } from '../support/raw.js'
import { until } from '../support/soak.js'
import { contentOf } from '../support/upload-fixture.js'
import { type Answer, Application, ok, response } from './application.js'
import { ask, pause, replyPath, upload } from './support.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(300_000)
const TYPES = ['by-reference', 'by-value'] as const

const UNREACHABLE = { status: 500, error: '0x80072EFD' }
const BROKEN = { status: 500, error: '0x80072EFE' }
const INVALID = { status: 411, error: '0x80070057' }
const TIMEOUT = { status: 408, error: '0x80070112' }

async function application(answer?: Answer | string): Promise<Application> {
  const started = await Application.start(answer)
  afterwards(() => started.stop())
  return started
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe.each(TYPES)('a notification %s that fails', (type) => {
  /**
   * Uploads while the application fails in this way. Then the application recovers, and the last fragment is sent
   * again.
   */
  async function refused(
    answer: Answer | string,
    expected: { status: number; error: string },
    options: { timeout?: number } = {},
  ) {
    const root = await directory()
    const app = await application(answer)
    const running = await start({ directory: root, notification: { type, url: app.url, ...options } })
    const uploaded: unknown[] = []
    running.bits.on('uploaded', (file) => uploaded.push(file))
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    expectAck(ack, { ...expected, context: '0x7', session: id, offset: FILE.length })
    expect(ack.header('BITS-Reply-URL')).toBeUndefined()
    expect(uploaded).toEqual([])
    expect((await stagedFiles(root)).filter((name) => name.endsWith('.part'))).toHaveLength(1)
    await until(async () => (await openFiles(root)).length === 0)

    app.answer = () => ok({}, 'better now')
    const again = await connection.exchange(fragment(PATH, id, FILE, 1000))
    expect(again.status).toBe(200)
    expect(again.header('BITS-Received-Content-Range')).toBe(String(FILE.length))
    expect((await ask(running, replyPath(PATH, again))).body.toString()).toBe('better now')
    expect(uploaded).toHaveLength(1)
    return { app, running }
  }

  test.each([301, 400, 404, 409, 418, 429, 500, 501, 503, 599])(
    'with %d: the client gets that status',
    async (status) => {
      const error = `0x${(0x80190000 + status).toString(16).toUpperCase()}`
      await refused(response(status, {}, 'a page for people'), { status, error })
    },
  )

  test.each([407, 413, 416, 401])(
    'with %d, which would mislead the client: the client gets 400',
    async (status) => {
      await refused(response(status), { status: 400, error: '0x80190190' })
    },
  )

  test.each([600, 999])('with %d, which no client knows: the client gets 500', async (status) => {
    await refused(response(status), { status: 500, error: '0x801901F4' })
  })

  test('with a 403 of HTTP/1.0, after which it is not notified again', async () => {
    const app = await application('HTTP/1.0 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    const running = await start({ directory: await directory(), notification: { type, url: app.url } })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    const refusal = { status: 403, error: '0x80190193', context: '0x7', session: id, offset: FILE.length }
    expectAck(ack, refusal)
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 1000)), refusal)
    expect(app.notifications).toHaveLength(1)
  })

  test('with an HTTP/1.0 response', async () => {
    await refused('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nno', INVALID)
  })

  test('with something other than HTTP', async () => {
    await refused('SSH-2.0-OpenSSH_9.2\r\n', BROKEN)
  })

  test.each(['099', '600', '999'])(
    'with %s, which is not a status: the client tries again later',
    async (status) => {
      const answer = `HTTP/1.1 ${status} Odd\r\nContent-Length: 0\r\n\r\n`
      await refused(answer, { status: 500, error: '0x801901F4' })
    },
  )

  test('with another protocol', async () => {
    await refused('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', BROKEN)
  })

  test.each(['/static.xml', 'static.xml', '//h/static.xml', 'ftp://h/static.xml', 'http://'])(
    'with the static URL "%s", which is not absolute',
    async (url) => {
      await refused(ok({ 'BITS-Static-Response-URL': url }), INVALID)
    },
  )

  test('with a static URL of over 2,200 characters', async () => {
    const url = `http://h/${'a'.repeat(2200 - 8)}`
    await refused(ok({ 'BITS-Static-Response-URL': url }), { status: 400, error: '0x80070057' })
  })

  test('with a connection that is closed without a response', async () => {
    await refused((_notification, socket) => void socket.end(), BROKEN)
  })

  test('with a connection that is reset without a response', async () => {
    await refused((_notification, socket) => void socket.resetAndDestroy(), BROKEN)
  })

  test('with an incomplete response head', async () => {
    await refused((_notification, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-'), BROKEN)
  })

  test('with an incomplete response body', async () => {
    await refused((_notification, socket) => {
      socket.write(ok({ 'Content-Length': '1000' }, 'half'))
      setTimeout(() => socket.resetAndDestroy(), 20)
      return undefined
    }, BROKEN)
  })

  test('with a chunked body that ends too early', async () => {
    await refused((_notification, socket) => {
      socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf`)
      return undefined
    }, BROKEN)
  })

  test.each<[string, Answer]>([
    ['no answer', () => undefined],
    ['half a head', () => 'HTTP/1.1 200 OK\r\nContent-'],
    ['half a body', () => ok({ 'Content-Length': '1000' }, 'half')],
  ])('with %s in time', async (_name, answer) => {
    const { app } = await refused(answer, TIMEOUT, { timeout: 0.3 })
    while (app.connections > 0) await pause(5)
  })

  test('with a response that trickles in forever', async () => {
    await refused(
      (_notification, socket) => {
        socket.write(ok({ 'Content-Length': '100000' }))
        const timer = setInterval(() => socket.write('.'), 20)
        socket.on('close', () => clearInterval(timer))
        return undefined
      },
      TIMEOUT,
      { timeout: 0.3 },
    )
  })

  test('with no server at its address', async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`
    const running = await start({ directory: await directory(), notification: { type, url } })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { ...UNREACHABLE, context: '0x7', session: id, offset: FILE.length })
  })

  test('with a host name that does not resolve', async () => {
    const notification = { type, url: 'http://nobody.invalid/' } as const
    const running = await start({ directory: await directory(), notification })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { ...UNREACHABLE, context: '0x7', session: id, offset: FILE.length })
  })
})

describe('a notification', () => {
  test('with a static URL of 2,200 characters is accepted', async () => {
    const url = `http://h/${'a'.repeat(2200 - 9)}`
    const app = await application(ok({ 'BITS-Static-Response-URL': url }))
    const running = await start({
      storage: new MemoryStorage(),
      notification: { type: 'by-value', url: app.url },
    })
    const { ack } = await upload(await connect(running), PATH, FILE)
    expect(ack.header('BITS-Reply-URL')).toBe(url)
  })

  test('by value times out if the application stops reading', async () => {
    const server = createServer((socket) => {
      socket.pause().on('error', () => {})
      // A paused socket does not notice that the client has disconnected.
      afterwards(() => socket.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    afterwards(() => server.close())
    const { port } = server.address() as AddressInfo
    const root = await directory()
    const running = await start({
      directory: root,
      notification: { type: 'by-value', url: `http://127.0.0.1:${port}/`, timeout: 0.3 },
    })
    const large = contentOf(12_000_000)
    const { id, ack } = await upload(await connect(running), PATH, large)
    expectAck(ack, { ...TIMEOUT, context: '0x7', session: id, offset: large.length })
    await until(async () => (await openFiles(root)).length === 0)
  })

  test('refused with 403 is never sent again (Win32 Handling Server Application Errors)', async () => {
    const app = await application(response(403))
    const running = await start({
      directory: await directory(),
      notification: { type: 'by-value', url: app.url },
    })
    const connection = await connect(running)
    const { id, ack } = await upload(connection, PATH, FILE)
    const expected = { status: 403, error: '0x80190193', context: '0x7', session: id, offset: FILE.length }
    expectAck(ack, expected)
    app.answer = () => ok()
    expectAck(await connection.exchange(fragment(PATH, id, FILE)), expected)
    expect(app.notifications).toHaveLength(1)
  })
})
