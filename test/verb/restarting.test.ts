import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import http, { type RequestListener, type ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { canRestartParsers } from '../../lib/verb/self-test.js'
import { readBody, turns } from '../support/piecewise-socket.js'
import { RawConnection } from '../support/raw.js'
import { WAYS } from './differential.js'

const PING = 'BITS_POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'
const GET = 'GET /g HTTP/1.1\r\nHost: a\r\n\r\n'

const closing: (() => unknown)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const echo: RequestListener = (req, res) => {
  readBody(req).then(
    (body) => res.end(`${req.method} ${req.url} ${body.toString('latin1')}`),
    () => res.destroy(),
  )
}

/** A server whose parsers are restarted, unless disabled, and a connection to it. */
async function connect(options: ServerOptions = {}, listener = echo, patch = WAYS['restarting the parser']) {
  const server = http.createServer(options, listener)
  patch(server)
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('The server does not listen.')
  const raw = await RawConnection.open(address.port)
  closing.push(() => {
    server.close()
    server.closeAllConnections()
    raw.socket.destroy()
  })
  return { server, raw, socket: await accepted }
}

const listenersOf = (socket: Socket) =>
  Object.fromEntries(socket.eventNames().map((event) => [String(event), socket.listenerCount(event)]))

it('works on this version of Node', () => {
  expect(canRestartParsers()).toBe(true)
})

it('adds no listener to a socket, before and after a GET and a BITS_POST', async () => {
  const plain = await connect({}, echo, () => {})
  const restarting = await connect()
  for (const request of [GET, PING, GET]) {
    if (request === GET) await plain.raw.exchange(request)
    expect(listenersOf(restarting.socket)).toEqual(listenersOf(plain.socket))
    expect((await restarting.raw.exchange(request)).status).toBe(200)
    expect(listenersOf(restarting.socket)).toEqual(listenersOf(plain.socket))
  }
})

it('reads thousands of requests from one packet', async () => {
  const { raw } = await connect()
  const count = 5000
  raw.write((PING + GET).repeat(count / 2))
  for (let n = 0; n < count; n++) {
    expect((await raw.ack()).body.toString()).toBe(n % 2 ? 'GET /g ' : 'BITS_POST /x ')
  }
})

it('passes only errors to clientError listeners, with the packet as sent', async () => {
  const { server, raw } = await connect()
  const errors: unknown[] = []
  server.on('clientError', (error: Error & { rawPacket?: Buffer; bytesParsed?: number }, socket) => {
    const { rawPacket, bytesParsed } = error
    errors.push([rawPacket?.toString(), bytesParsed, Reflect.get(error, 'code')])
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  await raw.exchange(PING)
  const packet = `${PING}BROKEN`
  raw.write(packet)
  await raw.closed()
  expect(errors).toEqual([[packet, packet.indexOf('ROKEN'), 'HPE_INVALID_METHOD']])
})

it('passes an upgrade its verb and the bytes after its head', async () => {
  const { server, raw } = await connect()
  const upgraded = new Promise((resolve) => {
    server.on('upgrade', (req, socket, head) => {
      socket.end()
      resolve([req.method, head.toString()])
    })
  })
  raw.write(`${PING}BITS_POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nBITS_POST `)
  expect(await upgraded).toEqual(['BITS_POST', 'BITS_POST '])
})

it('continues to read for an app that listens for data on the socket', async () => {
  const { raw, socket } = await connect()
  await raw.exchange(PING)
  let read = ''
  socket.on('data', (chunk: Buffer) => {
    read += chunk.toString()
  })
  for (const piece of ['BI', 'TS_PO', PING.slice(7)]) {
    raw.write(piece)
    await turns(5)
  }
  expect((await raw.ack()).body.toString()).toBe('BITS_POST /x ')
  expect(read).toBe(PING)
})

it('carries no asynchronous context from request to request unless Node itself does', async () => {
  const contexts: string[][] = []
  for (const [patch, verb] of [
    [WAYS['restarting the parser'], PING],
    [() => {}, PING.replace('BITS_POST ', 'BIND      ')],
  ] as const) {
    const storage = new AsyncLocalStorage<string>()
    const { raw } = await connect(
      {},
      (req, res) => {
        const store = storage.getStore()
        storage.enterWith(String(req.url))
        res.end(String(store))
      },
      patch,
    )
    const seen: string[] = []
    for (const packet of [verb + verb, GET + verb, GET]) {
      raw.write(packet)
      for (let n = packet.split('Host').length; n > 1; n--) seen.push((await raw.ack()).body.toString())
    }
    contexts.push(seen)
  }
  const [ours = [], native = []] = contexts
  expect(ours).toHaveLength(native.length)
  ours.forEach((context, i) => void expect(['undefined', native[i]]).toContain(context))
})

describe('limits are still those of the server', () => {
  it('maxHeaderSize, wherever a head is split', async () => {
    for (const value of ['BI', 'x']) {
      const { raw } = await connect({ maxHeaderSize: 500 })
      await raw.exchange(PING)
      raw.write(`BITS_POST / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(600)}${value}`)
      await turns(5)
      raw.write(`TS_POST / HTTP/1.1\r\nHost: a\r\n\r\n`)
      expect((await raw.ack()).status).toBe(431)
    }
  })

  it.each([true, false])('insecureHTTPParser: %s', async (insecureHTTPParser) => {
    const { raw } = await connect({ insecureHTTPParser })
    await raw.exchange(PING)
    const ack = await raw.exchange('BITS_POST / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n')
    expect(ack.status).toBe(insecureHTTPParser ? 200 : 400)
  })

  it.each(['BITS', 'BITS_POST / HTTP/1.1\r\nHost:'])('headersTimeout, after %j', async (start) => {
    const { raw } = await connect({ headersTimeout: 100, connectionsCheckingInterval: 20 })
    await raw.exchange(PING)
    expect((await raw.exchange(start)).status).toBe(408)
  })

  it('requestTimeout', async () => {
    const { raw } = await connect({
      requestTimeout: 100,
      headersTimeout: 100,
      connectionsCheckingInterval: 20,
    })
    await raw.exchange(PING)
    expect(
      (await raw.exchange('BITS_POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nBI')).status,
    ).toBe(408)
  })

  it('keepAliveTimeout', async () => {
    const { raw } = await connect({ keepAliveTimeout: 1 })
    await raw.exchange(PING)
    await raw.closed()
  })

  it('closeIdleConnections, which spares a request in progress', async () => {
    const { server, raw } = await connect()
    await raw.exchange(PING)
    raw.write('BITS_POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nBI')
    await turns(5)
    server.closeIdleConnections()
    expect((await raw.exchange('TS')).body.toString()).toBe('BITS_POST / BITS')
    await turns(5)
    server.closeIdleConnections()
    await raw.closed()
  })
})
