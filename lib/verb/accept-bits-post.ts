import { type ChannelListener, channel, subscribe } from 'node:diagnostics_channel'
import { Server as HttpServer, IncomingMessage, METHODS } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { Duplex } from 'node:stream'
import { VerbRewriter } from './verb-rewriter.js'

interface Connection {
  readonly server: HttpServer | HttpsServer
  readonly rewriter: VerbRewriter
  /** Is `onData` on the socket? It is not while the parser decides on a possible upgrade, which finds it untouched. */
  listening: boolean
  onData(chunk: unknown): void
}

/** Global symbols, so that another copy of this module in the process (ESM and CJS) does not patch a second time. */
const PATCHED = Symbol.for('express-bits-upload.patched')
const EVERYWHERE = Symbol.for('express-bits-upload.everywhere')

const connections = new WeakMap<Duplex, Connection>()
let restoresVerb = false
let everywhere = false

/**
 * Makes a server accept the verb `BITS_POST`, which Node's parser refuses: requests arrive with `req.method` set to
 * `BITS_POST`. Everything else is answered as before, and sockets, TLS, timeouts and limits stay
 * Node's own. Needed only where `bitsUpload({ acceptBitsPost: false })` leaves servers alone, or where a server gets
 * its connections from `emit('connection')`. Connections that are already open are not changed. Calling it twice has no
 * further effect.
 *
 * @throws TypeError when `server` is not a server of `node:http` or `node:https`.
 * @throws Error when this version of Node does not know the verb BIND, which this depends on.
 */
export function acceptBitsPost(server: HttpServer | HttpsServer): void {
  assertBindIsKnown()
  if (!isHttpServer(server)) {
    throw new TypeError(
      'acceptBitsPost(server) takes a server of node:http or node:https: ' +
        'pass what http.createServer(), https.createServer() or app.listen() returned.',
    )
  }
  if (PATCHED in server) return
  Object.defineProperty(server, PATCHED, { value: true })
  restoreVerbOnRequest()
  const event = server instanceof HttpServer ? 'connection' : 'secureConnection'
  server.on(event, (socket: Duplex) => attachRewriter(server, socket))
}

/**
 * {@link acceptBitsPost} for every server of this process, present and future, at its next connection.
 * Calling it twice has no further effect.
 *
 * @throws Error when this version of Node does not know the verb BIND, which this depends on.
 */
export function acceptBitsPostEverywhere(): void {
  assertBindIsKnown()
  if (everywhere) return
  everywhere = true
  const connected = channel('net.server.socket')
  const older: unknown = Reflect.get(connected, EVERYWHERE)
  if (isListener(older)) connected.unsubscribe(older)
  connected.subscribe(patchServer)
  Reflect.set(connected, EVERYWHERE, patchServer)
}

const patchServer: ChannelListener = (message) => {
  const socket = property(message, 'socket')
  const server = property(socket, 'server')
  if (!(socket instanceof Duplex) || !isHttpServer(server) || PATCHED in server) return
  acceptBitsPost(server)
  // Node publishes this after the 'connection' event of the same socket; a 'secureConnection' is yet to come.
  if (server instanceof HttpServer) attachRewriter(server, socket)
}

const isListener = (value: unknown): value is ChannelListener => typeof value === 'function'

/** @throws Error when `methods`, the verbs that Node's parser knows, has no BIND. */
export function assertBindIsKnown(methods: readonly string[] = METHODS): void {
  if (methods.includes('BIND')) return
  throw new Error(
    `Node ${process.version} cannot receive BITS_POST: its HTTP parser does not know the verb BIND (http.METHODS), ` +
      'as which the requests are read. Use Node 20 to 26, or set acceptBitsPost: false and acceptPost: true ' +
      'behind a proxy that turns BITS_POST into POST.',
  )
}

function isHttpServer(value: unknown): value is HttpServer | HttpsServer {
  return value instanceof HttpServer || value instanceof HttpsServer
}

/** Restores the verb before anybody sees the request: Node publishes this ahead of its own checks and events. */
function restoreVerbOnRequest(): void {
  if (restoresVerb) return
  restoresVerb = true
  subscribe('http.server.request.start', (message) => {
    const socket = property(message, 'socket')
    const request = property(message, 'request')
    const connection = socket instanceof Duplex ? connections.get(socket) : undefined
    if (!(socket instanceof Duplex) || !(request instanceof IncomingMessage) || !connection) return
    if (connection.server !== property(message, 'server')) return
    listen(socket, connection, connection.rewriter.announced(request))
  })
}

/** A socket may come back as a new connection, after a CONNECT for example: then it gets a new rewriter. */
function attachRewriter(server: HttpServer | HttpsServer, socket: Duplex): void {
  if (connections.get(socket)?.listening) return
  const connection: Connection = {
    server,
    rewriter: new VerbRewriter(),
    listening: false,
    onData: (chunk) => listen(socket, connection, Buffer.isBuffer(chunk) && connection.rewriter.read(chunk)),
  }
  connections.set(socket, connection)
  listen(socket, connection, true)
}

/**
 * A 'data' listener makes Node hand the bytes through JavaScript; in front of Node's own, it sees each buffer before
 * the parser reads that same buffer.
 */
function listen(socket: Duplex, connection: Connection, expected: boolean): void {
  if (connection.listening === expected) return
  connection.listening = expected
  if (expected) socket.prependListener('data', connection.onData)
  else socket.removeListener('data', connection.onData)
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
