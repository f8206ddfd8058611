import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Ack } from '../../types/packets.js'
import type { BitsError } from '../protocol/bits-error.js'
import { formatHresult, HEADER } from '../protocol/headers.js'
import { drain } from './drain.js'

/**
 * Bytes that are read after an Ack that closes the connection: more than any fragment of Windows has (MC-BUP note
 * 10).
 */
const LINGER_BYTES = 16 * 1024 * 1024

/** Status and error headers of an error Ack (D1). */
export function errorAck(error: BitsError): Ack {
  if (error.hresult === undefined) return { status: error.status, headers: error.headers }
  const hresult = formatHresult(error.hresult)
  return {
    status: error.status,
    headers: {
      ...error.headers,
      [HEADER.errorCode]: hresult,
      [HEADER.error]: hresult,
      [HEADER.errorContext]: `0x${error.context}`,
    },
  }
}

/**
 * Sends an Ack. The rest of the request's body is read first, for a client that writes its whole body before it
 * reads. If more than `drainLimit` bytes are left, the Ack is sent at once, and the connection is closed.
 */
export async function sendAck(
  req: IncomingMessage,
  res: ServerResponse,
  ack: Ack,
  drainLimit: number,
): Promise<void> {
  const left = bytesLeft(req)
  if (left > 0 && left <= drainLimit) await drain(req, drainLimit)
  res.statusCode = ack.status
  res.setHeader(HEADER.packetType, 'Ack')
  for (const [name, value] of Object.entries(ack.headers)) res.setHeader(name, value)
  res.setHeader('Content-Length', '0')
  if (left > drainLimit) {
    // Closing a connection with unread bytes would reset it, and the client might never see the Ack: linger.
    res.setHeader('Connection', 'close')
    res.flushHeaders()
    await drain(req, Math.max(drainLimit, LINGER_BYTES))
  }
  res.end()
}

/** Bytes of the body still to be received; infinite for a chunked one. */
function bytesLeft(req: IncomingMessage): number {
  if (req.complete || req.destroyed) return 0
  if (req.headers['transfer-encoding'] !== undefined) return Number.POSITIVE_INFINITY
  return Number(req.headers['content-length'] ?? 0)
}
