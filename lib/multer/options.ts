import type { Request } from 'express'
import type { CompletedUpload } from '../../types/delivery.js'
import { type Check, checkEach, type OptionChecks } from '../validation/check-options.js'
import { isFunction, objectWith } from '../validation/value-checks.js'
import type { FileDescription, MulterEngine } from './engine.js'

/** Options of `multerUpload()`. `undefined` means the default. */
export interface MulterUploadOptions {
  /** `req.file.fieldname`. Default: `file`. */
  fieldname?: string | undefined
  /** Returns `req.file.mimetype`. Default: `application/octet-stream`, because BITS does not send a type. */
  mimetype?: ((upload: CompletedUpload) => string) | undefined
  /** Returns `req.body`, the fields of the form. Default: the query of the upload's URL. */
  body?: ((upload: CompletedUpload, req: Request) => Record<string, unknown>) | undefined
  /**
   * Like multer's option: called before the engine. With `false`, the handler runs without `req.file`; without a
   * handler, the upload is refused with 403. An error refuses the upload, with its `status` if it has one.
   */
  fileFilter?(
    req: Request,
    file: FileDescription,
    callback: (error: Error | null, accept?: boolean) => void,
  ): void
}

const checks: OptionChecks<MulterUploadOptions> = {
  fieldname: (value) => (typeof value === 'string' && value !== '' ? undefined : 'the name of a form field'),
  mimetype: isFunction,
  body: isFunction,
  fileFilter: isFunction,
}

const isEngine: Check = objectWith(
  { _handleFile: true, _removeFile: true },
  'a storage engine of multer, such as multer.diskStorage()',
)

/** @throws OptionError for invalid arguments. */
export function checkArguments(engine: MulterEngine, handler: unknown, options: MulterUploadOptions): void {
  const given = { engine, handler }
  const argumentChecks = { engine: isEngine, handler: isFunction }
  checkEach({ name: 'multerUpload', checks: argumentChecks, required: ['engine'] }, given)
  checkEach({ name: 'multerUpload', checks }, options)
}
