import type { Request } from 'express'
import type { Ack } from '../../types/packets.js'
import type { PacketContext, UploadService, UploadServices } from '../packets/context.js'
import { handlePacket } from '../packets/handle-packet.js'
import { BitsError } from '../protocol/bits-error.js'
import { pathOf } from '../protocol/destination.js'
import { HEADER } from '../protocol/headers.js'
import { toBitsError } from '../protocol/to-bits-error.js'
import { PreemptedError } from '../sessions/session-lock.js'
import { failedAdapter } from '../util/adapter-failure.js'
import { asError, errorCode } from '../util/errors.js'
import { isPromise } from '../util/promises.js'
import { originOf } from '../util/request-origin.js'
import { admit } from './admit.js'
import { detectConsumedBody } from './consumed-body.js'
import { offsetHeader } from './offset-header.js'
import { type PacketHead, readHead, readPacket, requireLength } from './read-packet.js'
import { errorAck } from './send-ack.js'

/**
 * Handles a packet: reads, authorizes and executes it. The checks are in the order of MC-BUP 3.2.5.2.3.
 * @returns the Ack; `undefined` when the client no longer waits for one.
 */
export async function answer(req: Request, services: UploadServices): Promise<Ack | undefined> {
  const origin = originOf(req)
  const head = readHead(req)
  let service = services.base
  let context: PacketContext | undefined
  try {
    if (services.closed) throw new BitsError('closing', 'bits.close() was called.')
    const found = services.of(req)
    service = isPromise(found) ? await found : found
    if (!service.housekeeping.isOpen) await service.housekeeping.ready()
    const packet = readPacket(req, head)
    if (req.httpVersion === '1.0') warnOfHttp10(services, service)
    context = { ...(await admit(req, packet.type, head, service)), origin }
    requireLength(req, packet.type)
    const consumed = packet.type === 'Fragment' ? detectConsumedBody(req) : undefined
    if (consumed) throw new Error(consumed)
    const ack = await handlePacket(packet, context, service)
    return { status: ack.status, headers: { ...echoedSessionId(head), ...ack.headers } }
  } catch (error) {
    if (error instanceof PreemptedError || isLostConnection(error, req)) {
      req.destroy()
      return undefined
    }
    return refusePacket(toBitsError(error), req, head, context, service)
  }
}

const warnedOfHttp10 = new WeakSet<UploadServices>()

/** D36: once, because a proxy does so with every packet. */
function warnOfHttp10(services: UploadServices, { settings }: UploadService): void {
  if (warnedOfHttp10.has(services)) return
  warnedOfHttp10.add(services)
  settings.logger.warn(
    'BITS upload: packets arrive over HTTP/1.0, so each needs its own connection. Behind nginx, set ' +
      '"proxy_http_version 1.1;" and "proxy_set_header Connection "";".',
  )
}

async function refusePacket(
  error: BitsError,
  req: Request,
  head: PacketHead,
  context: PacketContext | undefined,
  service: UploadService,
): Promise<Ack> {
  const { logger } = service.settings
  const url = pathOf(req.originalUrl)
  if (!error.expected || isOutage(error)) {
    const cause = asError(error.cause ?? error)
    service.emit('error', cause, { path: url, uploadId: head.uploadId })
  } else {
    const line = `BITS upload: ${head.type ?? 'packet'} for ${url} answered ${error.status}: ${error.message}`
    // Clients wait for a challenge before they send credentials, some with every packet.
    const isChallenge = error.status === 401 && req.headers.authorization === undefined
    if (isChallenge) logger.info(line)
    else logger.warn(line)
  }
  const { status, headers } = errorAck(error)
  // A storage that is being closed must not be used.
  const offset = error.code === 'closing' ? {} : await offsetHeader(req, head, context, service, error)
  return { status, headers: { ...echoedSessionId(head), ...offset, ...headers } }
}

/** A storage or session store that is unavailable, and throws an error with its own status. */
const isOutage = (error: BitsError): boolean =>
  error.status >= 500 && error.code === 'custom' && failedAdapter(error) !== undefined

/** Every Ack except a Ping's repeats the session id (D5); Create-Session adds its own. */
function echoedSessionId({ type, sessionId }: PacketHead): Record<string, string> {
  return sessionId === undefined || type === 'Ping' || type === 'Create-Session'
    ? {}
    : { [HEADER.sessionId]: sessionId }
}

/** The request failed because its connection did. The bytes that arrived are staged, and no client waits for an Ack. */
function isLostConnection(error: unknown, req: Request): boolean {
  // Node also destroys a request that was read to its end.
  if (!req.destroyed || req.readableEnded) return false
  const code = errorCode(error)
  return error === req.errored || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}
