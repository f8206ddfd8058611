import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type RequestHandler, Router } from 'express'
import multer, { MulterError } from 'multer'
import { systemErrorCode } from './error-code.js'
import { sendErrorPage } from './error-page.js'
import { safeName } from './safe-name.js'

export interface FormUploadOptions {
  /** Bytes. */
  readonly maxSize: number
}

/** Takes the file of an HTML form (`multipart/form-data`, field `file`) into the directory, with a name made safe. */
export function formUpload(directory: string, options: FormUploadOptions): Router {
  const receive = multer({
    // On the same file system as its destination, under a name that is neither listed nor served.
    dest: join(directory, '.form-uploads'),
    defParamCharset: 'utf8',
    limits: { files: 1, fields: 0, fileSize: options.maxSize },
  }).single('file')

  const router = Router()
  router.post('/', refuseOtherSites, (req, res, next) => {
    receive(req, res, (error: unknown) => {
      if (error) return sendErrorPage(res, ...explainFormError(error))
      if (!req.file) return sendErrorPage(res, 400, 'No file was chosen.')
      publish(req.file, directory)
        .then((published) => {
          if (!published) return sendErrorPage(res, 409, 'There is a file of that name already.')
          res.redirect(303, '/')
        })
        .catch(next)
    })
  })
  return router
}

/** Another site's page could post a form here in the name of its visitor. */
const refuseOtherSites: RequestHandler = (req, res, next) => {
  if (req.get('sec-fetch-site') !== 'cross-site') return next()
  sendErrorPage(res, 403, 'The form came from another site.')
}

/** Gives a complete file its name, unless that is taken: nothing is overwritten, and partial files are never visible. */
async function publish(file: Express.Multer.File, directory: string): Promise<boolean> {
  try {
    await link(file.path, join(directory, safeName(file.originalname)))
    return true
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(file.path, { force: true })
  }
}

function explainFormError(error: unknown): [status: number, message: string] {
  if (error instanceof MulterError && error.code === 'LIMIT_FILE_SIZE') {
    return [413, 'The file is too large for this form. BITS takes it: see "Upload from Windows".']
  }
  // Such as ENOSPC: the disk is full.
  if (/^E[A-Z]+$/.test(String(systemErrorCode(error)))) return [500, 'The server could not store the file.']
  return [400, 'The form was not what this server expects: one file, and nothing else.']
}
