import { Server as HttpServer } from 'node:http'
import type { Http2SecureServer } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'

/** A server that speaks HTTP/1.1: one of `node:http2` does with its option `allowHTTP1`. */
export type Http1Server = HttpServer | HttpsServer | Http2SecureServer

/** Makes Node receive BITS_POST on one connection. */
export type Attach = (server: Http1Server, socket: Duplex) => void

/** A global symbol, so that another copy of this module in the process (ESM and CJS) does not patch a second time. */
const PATCHED = Symbol.for('express-bits-upload.patched')

export const isPatched = (server: Http1Server): boolean => PATCHED in server

/** Calls `attach` for each future connection of a server. Only the first call has an effect. */
export function patchServer(server: Http1Server, attach: Attach): void {
  if (isPatched(server)) return
  Object.defineProperty(server, PATCHED, { value: true })
  const event = server instanceof HttpServer ? 'connection' : 'secureConnection'
  server.on(event, (socket: Duplex) => attach(server, socket))
}
