import type { RequestHandler } from 'express'
import type { BitsUploadOptions } from 'express-bits-upload'
import { multerUpload } from 'express-bits-upload/multer'
import type { StorageEngine } from 'multer'
import { hasReport } from './report.js'

/**
 * For the option `onUpload`: has a handler written for multer process each file that gets a report. `bitsUpload()`
 * publishes what the handler accepts.
 */
export function processUploads(
  engine: StorageEngine,
  handler: RequestHandler,
): NonNullable<BitsUploadOptions['onUpload']> {
  const receive = multerUpload(engine, handler)
  return async (upload, req) => {
    // Spares other files, which may be large, the copy for the handler.
    if (!hasReport({ name: upload.destination, size: upload.size })) return undefined
    const response = await receive(upload, req)
    return typeof response === 'object' ? { ...response, publish: true } : response
  }
}
