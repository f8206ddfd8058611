import type { RequestHandler } from 'express'
import type { BitsUploadOptions } from 'express-bits-upload'
import { multerUpload } from 'express-bits-upload/multer'
import type { StorageEngine } from 'multer'
import { hasReport } from './report.js'

/**
 * For the option `onUpload`: passes each file that gets a report to a handler written for multer. `bitsUpload()`
 * publishes what the handler accepts.
 */
export function processUploads(
  engine: StorageEngine,
  handler: RequestHandler,
): NonNullable<BitsUploadOptions['onUpload']> {
  const receive = multerUpload(engine, handler)
  return async (upload, req) => {
    // Other files may be large: avoid the copy that the handler needs.
    if (!hasReport({ name: upload.destination, size: upload.size })) return undefined
    const response = await receive(upload, req)
    return typeof response === 'object' ? { ...response, publish: true } : response
  }
}
