import type { IncomingMessage } from 'node:http'

/**
 * Did another middleware read the body before us? Then the fragment's bytes are lost, and the app is mounted wrongly.
 *
 * @returns a sentence for the log that names the likely culprit and the remedy; `undefined` when all is well.
 */
export function detectConsumedBody(req: IncomingMessage): string | undefined {
  const isRead = req.readableDidRead || req.readableFlowing === true
  if (!isRead || Number(req.headers['content-length'] ?? 0) === 0) return undefined
  return (
    `The body of a fragment was read before bitsUpload() got it, most likely by ${likelyConsumer(req)}. ` +
    'Its bytes are lost; the client was told to try again. Remedy: mount bitsUpload() above the middleware that ' +
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
