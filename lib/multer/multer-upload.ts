import type { Request, RequestHandler } from 'express'
import type { CompletedUpload, UploadResponse } from '../../types/delivery.js'
import type { BitsUploadOptions } from '../../types/options.js'
import { runHandler } from './captured-response.js'
import type { FileDescription, MulterEngine, MulterFile } from './engine.js'
import { checkArguments, type MulterUploadOptions } from './options.js'
import { HandlerRefusal, withRemovalFailure } from './refusal.js'
import { removeFile, runEngine } from './run-engine.js'

type FileFilter = NonNullable<MulterUploadOptions['fileFilter']>

/**
 * For the option `onUpload`: a storage engine of multer stores each file, and a handler written for multer processes
 * it.
 *
 * The handler finds the file in `req.file` and the fields in `req.body`. The body of its response becomes the reply.
 * With a status of 400 or above, or an error passed to `next`, the upload is refused with that status, and the engine
 * removes the file. Nothing is published: the file is where the engine stored it.
 *
 * @throws OptionError for invalid arguments.
 * @example app.use('/uploads', bitsUpload({ onUpload: multerUpload(multer.diskStorage({}), handler) }))
 */
export function multerUpload(
  engine: MulterEngine,
  handler?: RequestHandler,
  options: MulterUploadOptions = {},
): NonNullable<BitsUploadOptions['onUpload']> {
  checkArguments(engine, handler, options)
  const {
    fieldname = 'file',
    mimetype = () => 'application/octet-stream',
    body = queryOf,
    fileFilter,
  } = options

  return async (upload: CompletedUpload, req: Request): Promise<UploadResponse> => {
    const description = {
      fieldname,
      originalname: upload.destination.slice(upload.destination.lastIndexOf('/') + 1),
      encoding: '7bit',
      mimetype: mimetype(upload),
    }
    req.body = body(upload, req)
    const wanted = !fileFilter || (await accepts(fileFilter, req, { ...description }))
    if (!wanted && !handler) throw new HandlerRefusal(403, 'fileFilter refused the file.')
    const file = wanted ? await runEngine(engine, req, description, upload) : undefined
    Object.assign(req, { file })
    try {
      const reply = handler && (await runHandler(handler, req, upload.signal))
      return { publish: false, reply }
    } catch (error) {
      throw file ? await afterRemoval(error, engine, req, file) : error
    }
  }
}

const queryOf = (_upload: CompletedUpload, req: Request): Record<string, unknown> => ({ ...req.query })

const accepts = (fileFilter: FileFilter, req: Request, file: FileDescription): Promise<boolean> =>
  new Promise((resolve, reject) => {
    fileFilter(req, file, (error, accept = false) => (error ? reject(error) : resolve(accept)))
  })

/** @returns the error to reject with. */
async function afterRemoval(
  error: unknown,
  engine: MulterEngine,
  req: Request,
  file: MulterFile,
): Promise<unknown> {
  try {
    await removeFile(engine, req, file)
    return error
  } catch (removal) {
    return withRemovalFailure(error, removal)
  }
}
