import type { IncomingMessage, ServerResponse } from 'node:http'
import { drain } from './drain.js'

/**
 * Bytes that are read after a response that closes the connection: more than any fragment from Windows has (MC-BUP note
 * 10).
 */
const LINGER_BYTES = 16 * 1024 * 1024

/**
 * Ends a response without a body. The rest of the request's body is read first, for a client that writes its whole body
 * before it reads. If more than `drainLimit` bytes are left, the response is sent immediately, and the connection is
 * closed.
 *
 * @param setHead sets status and headers, once the body has been read.
 */
export async function endResponse(
  req: IncomingMessage,
  res: ServerResponse,
  drainLimit: number,
  setHead: () => void,
): Promise<void> {
  const left = bytesLeft(req)
  if (left > 0 && left <= drainLimit) await drain(req, drainLimit)
  setHead()
  res.setHeader('Content-Length', '0')
  if (left > drainLimit) {
    // Closing a connection with unread bytes would reset it, and the client might never see the response: linger.
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
