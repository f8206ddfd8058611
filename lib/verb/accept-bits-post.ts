import { type ChannelListener, channel } from 'node:diagnostics_channel'
import { Server as HttpServer } from 'node:http'
import type { Http2SecureServer } from 'node:http2'
import { Server as HttpsServer } from 'node:https'
import { Duplex } from 'node:stream'
import { Server as TlsServer } from 'node:tls'
import { property } from '../util/property.js'
import { attachRestarter } from './attach-restarter.js'
import { attachRewriter } from './attach-rewriter.js'
import { assertBindIsKnown } from './known-verb.js'
import { type Attach, type Http1Server, isPatched, patchServer } from './patch-server.js'
import { canRestartParsers } from './self-test.js'

/** A global symbol, so that another copy of this module in the process (ESM and CJS) does not subscribe as well. */
const EVERYWHERE = Symbol.for('express-bits-upload.everywhere')

let everywhere = false

/**
 * Makes a server accept the verb `BITS_POST`, which Node's parser refuses: requests arrive with `req.method` set to
 * `BITS_POST`. Everything else is answered as before, and sockets, TLS, timeouts and limits stay Node's own. Needed only
 * where `bitsUpload({ acceptBitsPost: false })` leaves servers alone, or where a server gets its connections from
 * `emit('connection')`. Connections that are already open are not changed. Calling it twice has no further effect.
 *
 * @throws TypeError when `server` is not a server of `node:http` or `node:https`, nor one of `node:http2` for its clients
 * that speak HTTP/1.1 (`allowHTTP1`).
 * @throws Error when this version of Node does not know the verb BIND, which this depends on.
 */
export function acceptBitsPost(server: HttpServer | HttpsServer | Http2SecureServer): void {
  assertBindIsKnown()
  if (!isHttpServer(server)) {
    throw new TypeError(
      'acceptBitsPost(server) takes a server of node:http or node:https: ' +
        'pass what http.createServer(), https.createServer() or app.listen() returned.',
    )
  }
  patchServer(server, attach)
}

/**
 * {@link acceptBitsPost} for every server of this process, present and future, at its next connection.
 * Calling it twice has no further effect.
 *
 * @throws Error when this version of Node does not know the verb BIND, which this depends on.
 */
export function acceptBitsPostEverywhere(): void {
  assertBindIsKnown()
  canRestartParsers()
  if (everywhere) return
  everywhere = true
  const connected = channel('net.server.socket')
  const older: unknown = Reflect.get(connected, EVERYWHERE)
  if (isListener(older)) connected.unsubscribe(older)
  connected.subscribe(patchServerOf)
  Reflect.set(connected, EVERYWHERE, patchServerOf)
}

const patchServerOf: ChannelListener = (message) => {
  const socket = property(message, 'socket')
  const server = property(socket, 'server')
  if (!(socket instanceof Duplex) || !isHttpServer(server) || isPatched(server)) return
  patchServer(server, attach)
  // Node publishes this after the 'connection' event of the same socket, and before its 'secureConnection' event.
  if (server instanceof HttpServer) attach(server, socket)
}

const attach: Attach = (server, socket) => {
  // HTTP/2 has no such parser, and receives no BITS_POST.
  if (isHttp2Server(server) && property(socket, 'parser') === undefined) return
  if (!canRestartParsers() || !attachRestarter(server, socket)) attachRewriter(server, socket)
}

const isListener = (value: unknown): value is ChannelListener => typeof value === 'function'

function isHttpServer(value: unknown): value is Http1Server {
  return value instanceof HttpServer || value instanceof HttpsServer || isHttp2Server(value)
}

/** A server of node:http2 that also speaks HTTP/1.1 (`allowHTTP1`). Node does not export its class. */
const isHttp2Server = (value: unknown): value is Http2SecureServer =>
  value instanceof TlsServer && value.constructor.name === 'Http2SecureServer'
