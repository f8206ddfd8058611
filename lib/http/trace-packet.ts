import type { Request } from 'express'
import type { Ack } from '../../types/packets.js'
import type { PacketTrace } from '../../types/tracing.js'
import { pathOf } from '../protocol/destination.js'
import { HEADER } from '../protocol/headers.js'
import { sessionKey } from '../protocol/session-id.js'
import { packetChannel } from '../tracing/channels.js'
import { contentLength, readHead } from './read-packet.js'

/**
 * Publishes a packet on the tracing channel while it is answered. Without subscribers it costs one comparison.
 *
 * @param bits the `bitsUpload()` that serves it.
 * @param work answers the packet; resolves with the Ack, or `undefined` when the client has disconnected.
 */
export function tracePacket(
  bits: object,
  req: Request,
  work: () => Promise<Ack | undefined>,
): Promise<Ack | undefined> {
  if (!packetChannel.hasSubscribers) return work()
  const { type, uploadId } = readHead(req)
  const message: PacketTrace = {
    bits,
    method: req.method,
    path: pathOf(req.originalUrl),
    packet: type,
    bytes: contentLength(req) ?? 0,
    uploadId,
    destination: undefined,
    status: undefined,
    hresult: undefined,
  }
  return packetChannel.tracePromise(async () => {
    const ack = await work()
    message.destination = req.bits?.destination
    message.status = ack?.status
    message.hresult = ack?.headers[HEADER.errorCode]
    const created = type === 'Create-Session' ? ack?.headers[HEADER.sessionId] : undefined
    if (created !== undefined) message.uploadId = sessionKey(created)
    return ack
  }, message)
}
