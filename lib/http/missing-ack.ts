import { subscribe } from 'node:diagnostics_channel'
import { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '../../types/options.js'
import { pathOf } from '../protocol/destination.js'
import { HEADER } from '../protocol/headers.js'

/** Statuses that an application may send on purpose: it requires credentials, refuses, or is overloaded. */
const DELIBERATE = new Set([401, 403, 407, 429, 503])
/** Clients choose the paths, so the number of warnings is limited. */
const MAX_WARNINGS = 10
const MAX_SHOWN_PATH = 200
/** A global symbol, so that another copy of this module in the process (ESM and CJS) does not warn as well. */
const HANDLED = Symbol.for('express-bits-upload.missing-ack')

type WarnOfResponse = (request: IncomingMessage, response: ServerResponse) => void

const watchers = new Set<WarnOfResponse>()
let isSubscribed = false

/**
 * Logs a warning when a server of this process answers a packet without an Ack: the packet did not reach
 * `bitsUpload()`, and the client got an error that would otherwise remain unexplained. There is one warning per
 * directory, and at most ten. With several watchers, the latest one warns.
 * @returns a function that stops watching.
 */
export function watchForMissingAcks(logger: Logger): () => void {
  if (!isSubscribed) subscribe('http.server.response.finish', onFinish)
  isSubscribed = true
  const warned = new Set<string>()
  const watcher: WarnOfResponse = (request, response) => {
    const path = originalPath(request)
    const directory = path.slice(0, path.lastIndexOf('/') + 1)
    if (warned.size >= MAX_WARNINGS || warned.has(directory)) return
    warned.add(directory)
    logger.warn(
      `BITS upload: ${request.method} ${path.slice(0, MAX_SHOWN_PATH)} was answered ${response.statusCode} without an Ack, ` +
        `because it did not reach bitsUpload(). ${remedy(request)}`,
    )
  }
  watchers.add(watcher)
  return () => void watchers.delete(watcher)
}

function onFinish(message: unknown): void {
  if (typeof message !== 'object' || message === null) return
  const request: unknown = Reflect.get(message, 'request')
  if (!(request instanceof IncomingMessage) || !isPacket(request)) return
  const response: unknown = Reflect.get(message, 'response')
  const warn = [...watchers].at(-1)
  if (!warn || !(response instanceof ServerResponse)) return
  if (DELIBERATE.has(response.statusCode) || isRedirect(response) || isAck(response)) return
  if (Reflect.get(response, HANDLED) === true) return
  Reflect.set(response, HANDLED, true)
  warn(request, response)
}

const isPacket = ({ method, headers }: IncomingMessage): boolean =>
  method === 'BITS_POST' || (method === 'POST' && headers[HEADER.packetType.toLowerCase()] !== undefined)

const isRedirect = ({ statusCode }: ServerResponse): boolean => statusCode >= 300 && statusCode < 400

/** Headers passed to `writeHead()` appear only in the text of the head. */
function isAck(response: ServerResponse): boolean {
  if (response.hasHeader(HEADER.packetType)) return true
  const head: unknown = Reflect.get(response, '_header')
  return typeof head === 'string' && /^bits-packet-type:/im.test(head)
}

/** Express changes `url` inside mounted apps. */
function originalPath(request: IncomingMessage): string {
  const original: unknown = Reflect.get(request, 'originalUrl')
  return pathOf(typeof original === 'string' ? original : (request.url ?? ''))
}

const remedy = ({ method }: IncomingMessage): string =>
  method === 'POST'
    ? 'Behind a proxy that converts BITS_POST to POST, set acceptPost: true, and check that the mount path matches.'
    : 'Mount it with app.use(path, bitsUpload()) above the handler of this path: app.post() and app.all() do not receive ' +
      'the verb.'
