import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { debuglog } from 'node:util'
import type { Request } from 'express'
import { maskRequestUrl } from './mask.js'
import { maskHeader } from './mask-header.js'

const debugPackets = debuglog('express-bits-upload:packets')

interface LoggedConnection {
  readonly number: number
  packets: number
}

const loggedConnections = new WeakMap<Socket, LoggedConnection>()
let connectionCount = 0
let start: number | undefined

/**
 * With `NODE_DEBUG=express-bits-upload:packets`, writes packets and requests for replies to standard error. When it is
 * off, this costs one check.
 */
export function logPacket(req: Request, res: ServerResponse): void {
  if (debugPackets.enabled) writePacket(req, res, (text) => debugPackets('%s', text))
}

/**
 * Describes a request and its response, with headers in the order of the wire. The text is meant to be pasted into an
 * issue: names, hosts, session ids, credentials and unknown headers are masked (`mask.ts`, `mask-header.ts`).
 *
 * @param write called for the request at once, and for the response when it has been sent or the connection was lost.
 */
export function writePacket(req: Request, res: ServerResponse, write: (text: string) => void): void {
  const name = packetName(req.socket)
  const completed = now()
  const bytesBefore = req.socket.bytesRead
  write([`${name}, at ${completed} ms`, ...requestLines(req)].join('\n'))
  res.once('close', () => {
    const body = `body: ${describeBody(req, req.socket.bytesRead - bytesBefore)}`
    const time = `at ${now()} ms, after ${now() - completed} ms`
    write([`${name}, ${time}, ${body}`, ...responseLines(res)].join('\n'))
  })
}

function packetName(socket: Socket): string {
  const connection = loggedConnections.get(socket) ?? { number: ++connectionCount, packets: 0 }
  loggedConnections.set(socket, connection)
  connection.packets++
  return `connection ${connection.number}, packet ${connection.packets}`
}

/** Milliseconds since the first packet of the log. */
function now(): number {
  const time = performance.now()
  start ??= time
  return Math.round(time - start)
}

function requestLines(req: Request): string[] {
  const lines = [`> ${req.method} ${maskRequestUrl(req.originalUrl)} HTTP/${req.httpVersion}`]
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const [name = '', value = ''] = req.rawHeaders.slice(i, i + 2)
    lines.push(`> ${name}: ${maskHeader(name, value)}`)
  }
  return lines
}

function responseLines(res: ServerResponse): string[] {
  if (!res.headersSent) return ['< no response: the connection was lost, or a newer packet replaced this one']
  const headers = rawHeaderNames(res).map(
    (name) => `< ${name}: ${maskHeader(name, String(res.getHeader(name) ?? ''))}`,
  )
  // Node adds Date, Connection and Keep-Alive itself, where they cannot be read.
  const end = res.writableFinished ? (res.shouldKeepAlive ? 'stays open' : 'is closed') : 'was lost'
  return [`< HTTP/1.1 ${res.statusCode}`, ...headers, `< (the connection ${end})`]
}

/** Names as spelled on the wire, if Node provides them: the method is documented for client requests only. */
function rawHeaderNames(res: ServerResponse): string[] {
  const method: unknown = Reflect.get(res, 'getRawHeaderNames')
  const names: unknown = typeof method === 'function' ? Reflect.apply(method, res, []) : undefined
  return Array.isArray(names) ? names.map(String) : res.getHeaderNames()
}

/**
 * @param bytesSince bytes the connection has read since the head of the packet, which may have come with the start of
 * the body.
 */
function describeBody(req: Request, bytesSince: number): string {
  const announced = req.headers['content-length']
  if (req.complete && announced !== undefined) return `${Number(announced)} bytes`
  const atLeast = `at least ${bytesSince} bytes`
  return req.complete ? atLeast : `${atLeast} of ${Number(announced ?? NaN)}, then the connection was lost`
}
