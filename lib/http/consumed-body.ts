import type { IncomingMessage } from 'node:http'

/**
 * Detects that another middleware has read the body: the bytes of the fragment are lost, and the app mounts its
 * middleware in the wrong order.
 * @returns a sentence for the log with the likely cause and the remedy; `undefined` if the body is unread.
 */
export function detectConsumedBody(req: IncomingMessage): string | undefined {
  const isRead = req.readableDidRead || req.readableFlowing === true
  if (!isRead || Number(req.headers['content-length'] ?? 0) === 0) return undefined
  return (
    `The body of a fragment was read before bitsUpload() received it, most likely by ${likelyConsumer(req)}. ` +
    'Its bytes are lost, and the client will try again. To fix this, mount bitsUpload() above the middleware that ' +
    'reads bodies: app.use(path, bitsUpload()) first, then body parsers and multer.'
  )
}

function likelyConsumer(req: IncomingMessage): string {
  if ('file' in req || 'files' in req) return 'multer'
  const body: unknown = 'body' in req ? req.body : undefined
  if (Buffer.isBuffer(body)) return 'express.raw()'
  if (typeof body === 'string') return 'express.text()'
  if (typeof body === 'object' && body !== null) return 'express.json() or express.urlencoded()'
  return 'a middleware that listens to the request (a logger, a proxy)'
}
