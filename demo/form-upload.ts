import { type RequestHandler, Router } from 'express'
import multer, { MulterError, type StorageEngine } from 'multer'
import { systemErrorCode } from './error-code.js'
import { sendErrorPage } from './error-page.js'
import { refuseOtherSites } from './own-page.js'

export interface FormUploadOptions {
  readonly engine: StorageEngine
  /** Passed the file in `req.file`. */
  readonly handler: RequestHandler
  /** Bytes. */
  readonly maxSize: number
}

/** Receives the file of an HTML form (`multipart/form-data`, field `file`). */
export function formUpload({ engine, handler, maxSize }: FormUploadOptions): Router {
  const receive = multer({
    storage: engine,
    defParamCharset: 'utf8',
    limits: { files: 1, fields: 0, fileSize: maxSize },
  }).single('file')

  const router = Router()
  router.post('/', refuseOtherSites, (req, res, next) => {
    receive(req, res, (error: unknown) => {
      if (error) return sendErrorPage(res, ...explainFormError(error))
      next()
    })
  })
  router.post('/', handler)
  return router
}

function explainFormError(error: unknown): [status: number, message: string] {
  if (error instanceof MulterError && error.code === 'LIMIT_FILE_SIZE') {
    return [413, 'The file is too large for this form. Use BITS instead: see "Upload from Windows".']
  }
  // For example, ENOSPC when the disk is full.
  if (/^E[A-Z]+$/.test(String(systemErrorCode(error)))) return [500, 'The server could not store the file.']
  return [400, 'The form was not what this server expects: one file, and nothing else.']
}
