import { pipeline, type Readable, Transform } from 'node:stream'
import type { Request } from 'express'
import type { CompletedUpload } from '../../types/delivery.js'
import { asError } from '../util/errors.js'
import type { FileDescription, MulterEngine, MulterFile } from './engine.js'

/**
 * Stores the bytes of an upload with an engine.
 *
 * An engine may never call back when its stream fails, as `multer.memoryStorage()`: the stream decides then. If it
 * calls back later nevertheless, its file is removed.
 *
 * @returns what multer puts into `req.file`.
 * @throws the error of the engine or the storage, or the reason of `upload.signal`; nothing is left behind.
 */
export async function runEngine(
  engine: MulterEngine,
  req: Request,
  description: FileDescription,
  upload: CompletedUpload,
): Promise<MulterFile> {
  const bytes = new CountedBytes()
  // The engine sees a failure as an error of its stream.
  const source = pipeline(upload.read(), bytes, () => {})
  const file = withStream(description, source)
  try {
    // Copied after the engine has called back: engines write to the file as well.
    const info = await stored(engine, req, file, upload.signal)
    if (bytes.taken === upload.size) return withSize(withStream({ ...file, ...info }, source), upload.size)
    await removeFile(engine, req, withStream({ ...file, ...info }, source))
    throw new Error(`The engine called back after ${bytes.taken} of ${upload.size} bytes.`)
  } finally {
    bytes.destroy()
  }
}

export const removeFile = (engine: MulterEngine, req: Request, file: MulterFile): Promise<void> =>
  new Promise((resolve, reject) => {
    engine._removeFile(req, file, (error) => (error ? reject(error) : resolve()))
  })

function stored(
  engine: MulterEngine,
  req: Request,
  file: MulterFile,
  signal: AbortSignal,
): Promise<Partial<MulterFile>> {
  return new Promise((resolve, reject) => {
    let outcome: 'stored' | 'failed' | undefined
    const abort = () => fail(signal.reason)
    const fail = (error: unknown) => {
      if (outcome) return
      outcome = 'failed'
      signal.removeEventListener('abort', abort)
      file.stream.destroy()
      // The first error says more than that of a removal.
      removeBegun(engine, req, file, error)
        .catch(() => {})
        .finally(() => reject(asError(error)))
    }
    file.stream.once('error', fail)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    engine._handleFile(req, file, (error, info = {}) => {
      if (error) return fail(error)
      if (outcome === 'failed') {
        removeFile(engine, req, withStream({ ...file, ...info }, file.stream)).catch(() => {})
      }
      if (outcome) return
      outcome = 'stored'
      signal.removeEventListener('abort', abort)
      resolve(info)
    })
  })
}

/**
 * Removes an incomplete file if the engine has set its path, as `multer.diskStorage()` does. Not if opening it failed:
 * the file with that name is then an older one.
 */
async function removeBegun(
  engine: MulterEngine,
  req: Request,
  file: MulterFile,
  error: unknown,
): Promise<void> {
  const neverOpened = typeof error === 'object' && error !== null && Reflect.get(error, 'syscall') === 'open'
  if ('path' in file && !neverOpened) await removeFile(engine, req, file)
}

/** Counts the bytes that its reader has taken. */
class CountedBytes extends Transform {
  #received = 0

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk: Buffer) => void,
  ) {
    this.#received += chunk.length
    done(null, chunk)
  }

  get taken(): number {
    return this.#received - this.readableLength
  }
}

/** Multer's `stream` is not enumerable. */
export function withStream<File extends object>(file: File, stream: Readable): File & { stream: Readable } {
  return Object.defineProperty({ ...file, stream }, 'stream', { enumerable: false })
}

const withSize = (file: MulterFile, size: number): MulterFile => {
  if (!('size' in file)) Object.assign(file, { size })
  return file
}
