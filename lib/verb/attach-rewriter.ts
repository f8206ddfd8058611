import { subscribe } from 'node:diagnostics_channel'
import { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import { property } from '../util/property.js'
import type { Http1Server } from './patch-server.js'
import { VerbRewriter } from './verb-rewriter.js'

interface RewrittenConnection {
  readonly server: Http1Server
  readonly rewriter: VerbRewriter
  /**
   * Whether `onData` is attached to the socket. It is detached while the parser decides about an upgrade, which must
   * get an unchanged socket.
   */
  listening: boolean
  onData(chunk: unknown): void
}

const rewrittenConnections = new WeakMap<Duplex, RewrittenConnection>()
let restoresVerb = false

/**
 * Puts a {@link VerbRewriter} in front of the parser of a connection, for versions of Node whose parser cannot be
 * restarted. If a socket is used for a new connection, for example after a CONNECT, it gets a new rewriter.
 */
export function attachRewriter(server: Http1Server, socket: Duplex): void {
  restoreVerbOnRequest()
  if (rewrittenConnections.get(socket)?.listening) return
  const connection: RewrittenConnection = {
    server,
    rewriter: new VerbRewriter(),
    listening: false,
    onData: (chunk) =>
      setListening(socket, connection, Buffer.isBuffer(chunk) && connection.rewriter.read(chunk)),
  }
  rewrittenConnections.set(socket, connection)
  setListening(socket, connection, true)
}

/** Restores the verb before any other code sees the request: Node publishes this before its own checks and events. */
function restoreVerbOnRequest(): void {
  if (restoresVerb) return
  restoresVerb = true
  subscribe('http.server.request.start', (message) => {
    const socket = property(message, 'socket')
    const request = property(message, 'request')
    const connection = socket instanceof Duplex ? rewrittenConnections.get(socket) : undefined
    if (!(socket instanceof Duplex) || !(request instanceof IncomingMessage) || !connection) return
    if (connection.server !== property(message, 'server')) return
    setListening(socket, connection, connection.rewriter.announced(request))
  })
}

/**
 * A 'data' listener makes Node pass the bytes through JavaScript; placed before Node's own listener, it sees each
 * buffer before the parser reads it.
 */
function setListening(socket: Duplex, connection: RewrittenConnection, expected: boolean): void {
  if (connection.listening === expected) return
  connection.listening = expected
  if (expected) socket.prependListener('data', connection.onData)
  else socket.removeListener('data', connection.onData)
}
