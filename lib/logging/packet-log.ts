import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import createDebug from 'debug'
import type { Request } from 'express'
import { maskRequestUrl } from './mask.js'
import { maskHeader } from './mask-header.js'

const log = createDebug('express-bits-upload:packets')

interface Connection {
  readonly number: number
  packets: number
}

const connections = new WeakMap<Socket, Connection>()
let connectionCount = 0
let start: number | undefined

/**
 * With `DEBUG=express-bits-upload:packets`: what a client sent, replies it fetched included, and what it was answered, headers in their order on the
 * wire, on standard error. It is made to be pasted into an issue: names, hosts, session ids, credentials and unknown
 * headers are masked (`mask.ts`, `mask-header.ts`). Off, it costs a look at a flag.
 */
export function logPacket(req: Request, res: ServerResponse): void {
  if (!log.enabled) return
  const name = nameOf(req.socket)
  const completed = now()
  const bytesBefore = req.socket.bytesRead
  log('%s', [`${name}, at ${completed} ms`, ...requestLines(req)].join('\n'))
  res.once('close', () => {
    const body = `body: ${bodyOf(req, req.socket.bytesRead - bytesBefore)}`
    const time = `at ${now()} ms, after ${now() - completed} ms`
    log('%s', [`${name}, ${time}, ${body}`, ...responseLines(res)].join('\n'))
  })
}

function nameOf(socket: Socket): string {
  const connection = connections.get(socket) ?? { number: ++connectionCount, packets: 0 }
  connections.set(socket, connection)
  connection.packets++
  return `connection ${connection.number}, packet ${connection.packets}`
}

/** Milliseconds since the first packet of the log. */
function now(): number {
  start ??= performance.now()
  return Math.round(performance.now() - start)
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
  if (!res.headersSent) return ['< no answer: the connection was lost, or a newer packet took over']
  const headers = rawHeaderNames(res).map(
    (name) => `< ${name}: ${maskHeader(name, String(res.getHeader(name) ?? ''))}`,
  )
  // Node adds Date, Connection and Keep-Alive by itself, where nobody can ask for them.
  const end = res.writableFinished ? (res.shouldKeepAlive ? 'stays open' : 'is closed') : 'broke'
  return [`< HTTP/1.1 ${res.statusCode}`, ...headers, `< (the connection ${end})`]
}

/** Names as they are spelled on the wire, where Node tells them: it has that documented for client requests only. */
function rawHeaderNames(res: ServerResponse): string[] {
  const method: unknown = Reflect.get(res, 'getRawHeaderNames')
  const names: unknown = typeof method === 'function' ? Reflect.apply(method, res, []) : undefined
  return Array.isArray(names) ? names.map(String) : res.getHeaderNames()
}

/** @param bytesSince what the connection has read since the packet's head, with which the body may have begun. */
function bodyOf(req: Request, bytesSince: number): string {
  const announced = req.headers['content-length']
  if (req.complete && announced !== undefined) return `${Number(announced)} bytes`
  const atLeast = `at least ${bytesSince} bytes`
  return req.complete ? atLeast : `${atLeast} of ${Number(announced ?? NaN)}, then the connection broke`
}
