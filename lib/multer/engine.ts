import type { Readable } from 'node:stream'
import type { Request } from 'express'

/** What multer knows about a file before an engine stores it. */
export interface FileDescription {
  /** Name of the form field. */
  fieldname: string
  /** Name of the file on the client, without a directory. */
  originalname: string
  encoding: string
  mimetype: string
}

/** A file as an engine receives it. */
export interface MulterFile extends FileDescription {
  /** The bytes. Not enumerable, so that `JSON.stringify(req.file)` leaves it out. */
  stream: Readable
}

/**
 * A storage engine of multer: `multer.diskStorage()`, `multer.memoryStorage()`, `multerS3()` or your own. The type has
 * the shape of multer's, so multer itself is not needed.
 */
export interface MulterEngine {
  _handleFile(
    req: Request,
    file: MulterFile,
    callback: (error?: unknown, info?: Partial<MulterFile>) => void,
  ): void
  _removeFile(req: Request, file: MulterFile, callback: (error: Error | null) => void): void
}
