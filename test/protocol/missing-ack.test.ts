import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'
import { type BitsUpload, type BitsUploadOptions, bitsUpload, MemoryStorage } from 'express-bits-upload'
import { fixtures } from '../support/fixtures.js'
import { createSession, openSession, packet, type RawConnection } from '../support/raw.js'
import type { Running } from '../support/serve.js'

const { start, connect, afterwards } = fixtures()

const PATH = '/uploads/a/file.bin'

let running: Running
let connection: RawConnection

/** An app whose `bitsUpload()` is mounted at `/right`, with another handler in front of it. */
async function serve(
  before: (app: Express, bits: BitsUpload) => unknown,
  options: BitsUploadOptions = {},
): Promise<void> {
  const other = bitsUpload({ storage: new MemoryStorage(), logger: { info() {}, warn() {}, error() {} } })
  afterwards(() => other.close())
  running = await start(
    { storage: new MemoryStorage(), ...options },
    { mount: '/right', before: (app) => before(app, other) },
  )
  connection = await connect(running)
}

const exchange = async (request: Buffer): Promise<number> => (await connection.exchange(request)).status

/** The warning is logged after the response was sent, perhaps after the client has received it. */
async function warnings(): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, 20))
  return running.logger.lines.filter((line) => line.includes('without an Ack'))
}

const answering = (status: number): RequestHandler => {
  return (_req, res) => void res.status(status).end()
}

test.each<[what: string, before: (app: Express, bits: BitsUpload) => unknown, status: number]>([
  ['app.post()', (app, bits) => app.post('/uploads/*path', bits), 404],
  ['app.all()', (app, bits) => app.all('/uploads/*path', bits), 404],
  ['router.post()', (app, bits) => app.use('/uploads', express.Router().post('/*path', bits)), 404],
  ['another path', () => undefined, 404],
  ['a catch-all handler above', (app) => app.use(answering(404)), 404],
  ['a page for everything above', (app) => app.use((_req, res) => void res.send('<html>')), 200],
  [
    'a bare handler that writes its head',
    (app) => app.use((_req, res) => res.writeHead(405, { 'Content-Length': 0 }).end()),
    405,
  ],
])('a packet that misses bitsUpload() is logged: %s', async (_, before, status) => {
  await serve(before)
  expect(await exchange(createSession(PATH))).toBe(status)
  expect(await exchange(packet('Ping', PATH))).toBe(status)
  expect(await warnings()).toEqual([
    `warn: BITS upload: BITS_POST ${PATH} was answered ${status} without an Ack, because it did not reach bitsUpload(). ` +
      'Mount it with app.use(path, bitsUpload()) above the handler of this path: app.post() and app.all() do not receive the verb.',
  ])
})

test('clients that try many paths cause at most ten warnings, each of bounded length', async () => {
  await serve(() => undefined)
  for (let n = 0; n < 30; n++) await exchange(packet('Ping', `/${n}/${'x'.repeat(5000)}`))
  const logged = await warnings()
  expect(logged).toHaveLength(10)
  for (const line of logged) expect(line.length).toBeLessThan(600)
})

test('the query of a URL, which may hold a token, is not logged', async () => {
  await serve(() => undefined)
  await exchange(packet('Ping', '/elsewhere/x?token=secret'))
  expect(await warnings()).toEqual([expect.not.stringContaining('secret')])
})

test.each([401, 403, 429, 503, 302])('an application may answer %d on purpose', async (status) => {
  await serve((app) => app.use(answering(status)))
  expect(await exchange(createSession(PATH))).toBe(status)
  expect(await warnings()).toEqual([])
})

test('Acks, including error Acks, and other requests cause no warning', async () => {
  await serve(() => undefined)
  await openSession(connection, '/right/file.bin')
  expect(await exchange(createSession('/right/NUL'))).toBe(403)
  await fetch(`${running.origin}/elsewhere`)
  await fetch(`${running.origin}/elsewhere`, { method: 'POST' })
  expect(await warnings()).toEqual([])
})

test('an Ack that an application sends with writeHead() is recognized', async () => {
  await serve((app) => app.use((_req, res) => res.writeHead(200, { 'bits-packet-type': 'Ack' }).end()))
  expect(await exchange(packet('Ping', PATH))).toBe(200)
  expect(await warnings()).toEqual([])
})

test('packets that a proxy converted to POST need acceptPost', async () => {
  await serve(() => undefined)
  const post = packet('Ping', '/right/a.bin').toString('latin1').replace('BITS_POST', 'POST')
  expect(await exchange(Buffer.from(post, 'latin1'))).toBe(404)
  expect(await warnings()).toEqual([expect.stringMatching(/POST \/right\/a\.bin .*set acceptPost: true/)])
})

test('after close() nothing is logged', async () => {
  await serve(() => undefined)
  await running.bits.close()
  expect(await exchange(packet('Ping', PATH))).toBe(404)
  expect(await warnings()).toEqual([])
})

test('an answer of another framework, which never passes its requests on, causes a warning', async () => {
  await serve(() => undefined)
  // As Fastify responds to unknown verbs, before its adapters for middleware.
  const server = createServer((_req, res) =>
    res.writeHead(404, { 'Content-Type': 'application/json' }).end('{}'),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(() => server.close())
  const other = await connect({ port: (server.address() as AddressInfo).port })
  expect((await other.exchange(createSession(PATH))).status).toBe(404)
  expect(await warnings()).toEqual([
    expect.stringContaining(`BITS_POST ${PATH} was answered 404 without an Ack`),
  ])
})
