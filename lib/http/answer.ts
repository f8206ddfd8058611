import type { Request } from 'express'
import type { Ack } from '../../types/packets.js'
import type { PacketContext, UploadService, UploadServices } from '../packets/context.js'
import { handlePacket } from '../packets/handle-packet.js'
import { BitsError } from '../protocol/bits-error.js'
import { pathOf } from '../protocol/destination.js'
import { HEADER } from '../protocol/headers.js'
import { HRESULT } from '../protocol/hresult.js'
import { toBitsError } from '../protocol/to-bits-error.js'
import { PreemptedError } from '../sessions/session-lock.js'
import { failedAdapter } from '../util/adapter-failure.js'
import { asError, errorCode } from '../util/errors.js'
import { originOf } from '../util/request-origin.js'
import { admit } from './admit.js'
import { detectConsumedBody } from './consumed-body.js'
import { offsetHeader } from './offset-header.js'
import { packetTypeOf, readPacket, requireLength } from './read-packet.js'
import { errorAck } from './send-ack.js'

/**
 * A packet's way: read, admitted, handled, answered; the checks in the order of MC-BUP 3.2.5.2.3.
 *
 * @returns the Ack; `undefined` when nobody waits for one any more.
 */
export async function answer(req: Request, services: UploadServices): Promise<Ack | undefined> {
  const origin = originOf(req)
  let service = services.base
  let context: PacketContext | undefined
  try {
    if (services.closed) throw new BitsError('closing', 'bits.close() was called.')
    service = await services.of(req)
    await service.housekeeping.ready()
    const packet = readPacket(req)
    if (req.httpVersion === '1.0') warnOfHttp10(services, service)
    context = { ...(await admit(req, packet.type, service)), origin }
    requireLength(req, packet.type)
    const eaten = packet.type === 'Fragment' ? detectConsumedBody(req) : undefined
    if (eaten) throw new Error(eaten)
    const ack = await handlePacket(packet, context, service)
    return { status: ack.status, headers: { ...echoedSessionId(req), ...ack.headers } }
  } catch (error) {
    if (error instanceof PreemptedError || isLostConnection(error, req)) {
      req.destroy()
      return undefined
    }
    return refuse(toBitsError(error), req, context, service)
  }
}

const warnedOfHttp10 = new WeakSet<UploadServices>()

/** D36: once, as proxies send every packet so. */
function warnOfHttp10(services: UploadServices, { settings }: UploadService): void {
  if (warnedOfHttp10.has(services)) return
  warnedOfHttp10.add(services)
  settings.logger.warn(
    'BITS upload: packets come by HTTP/1.0, so each needs a connection of its own. Behind nginx, set ' +
      '"proxy_http_version 1.1;" and "proxy_set_header Connection "";".',
  )
}

async function refuse(
  error: BitsError,
  req: Request,
  context: PacketContext | undefined,
  service: UploadService,
): Promise<Ack> {
  const { logger } = service.settings
  const url = pathOf(req.originalUrl)
  if (error.hresult === HRESULT.E_FAIL || isOutage(error)) {
    const cause = asError(error.cause ?? error)
    service.emit('error', cause, { path: url, uploadId: req.bits?.uploadId })
  } else {
    logger.warn(
      `BITS upload: ${packetTypeOf(req) ?? 'packet'} for ${url} answered ${error.status}: ${error.message}`,
    )
  }
  const { status, headers } = errorAck(error)
  // A storage that is being closed is not asked.
  const offset = error.code === 'closing' ? {} : await offsetHeader(req, context, service, error)
  return { status, headers: { ...echoedSessionId(req), ...offset, ...headers } }
}

/** Is a storage or session store out of order, and says so with a status of its own? */
const isOutage = (error: BitsError): boolean =>
  error.status >= 500 &&
  (error.code === 'custom' || error.code === 'disk-full') &&
  failedAdapter(error) !== undefined

/** The session id in every Ack but a Ping's (D5); Create-Session brings its own. */
function echoedSessionId(req: Request): Record<string, string> {
  const type = packetTypeOf(req)
  const id = req.get(HEADER.sessionId)
  return id === undefined || id.length > 100 || type === 'Ping' || type === 'Create-Session'
    ? {}
    : { [HEADER.sessionId]: id }
}

/** Did the request fail because its connection did? What had arrived is staged; nobody waits for an Ack. */
function isLostConnection(error: unknown, req: Request): boolean {
  // Node destroys a request that was read to its end, too.
  if (!req.destroyed || req.readableEnded) return false
  const code = errorCode(error)
  return error === req.errored || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}
