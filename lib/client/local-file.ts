import { type FileHandle, open, stat } from 'node:fs/promises'
import { BitsClientError } from './transport/client-error.js'

/** Read at once; what a connection has not taken yet stays in memory, so this bounds it. */
const CHUNK = 128 * 1024

/** The file to upload. A change of its size or time while it is read is fatal (Win32 file-transfer-consistency). */
export class LocalFile {
  readonly #path: string
  readonly #handle: FileHandle
  readonly size: number
  /** Time of the last change, milliseconds since 1970. */
  readonly modified: number

  private constructor(path: string, handle: FileHandle, size: number, modified: number) {
    this.#path = path
    this.#handle = handle
    this.size = size
    this.modified = modified
  }

  static async open(path: string): Promise<LocalFile> {
    const cannot = (cause: Error): never => {
      throw new BitsClientError(`The file cannot be opened: ${cause.message}.`, { fatal: true, cause })
    }
    // First: to open a pipe is to wait for its other end, which no signal could stop.
    const facts = await stat(path).catch(cannot)
    if (!facts.isFile()) throw new BitsClientError(`"${path}" is not a file.`, { fatal: true })
    const handle = await open(path).catch(cannot)
    try {
      const { size, mtimeMs } = await handle.stat()
      return new LocalFile(path, handle, size, mtimeMs)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /**
   * Bytes from `start` up to, not including, `end`. The last of them are held back until the file is known to be
   * unchanged, so that no fragment is ever complete with bytes of two versions.
   */
  async *read(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    let position = start
    while (position < end) {
      const chunk = await this.#chunk(position, Math.min(CHUNK, end - position))
      if (chunk.length === 0) throw new FileChangedError(this.#path)
      position += chunk.length
      if (position === end) await this.assertUnchanged()
      yield chunk
    }
  }

  async assertUnchanged(size: number = this.size, modified: number = this.modified): Promise<void> {
    const stat = await this.#handle.stat()
    if (stat.size !== size || stat.mtimeMs !== modified) throw new FileChangedError(this.#path)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #chunk(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    try {
      const { bytesRead } = await this.#handle.read(buffer, 0, length, position)
      return buffer.subarray(0, bytesRead)
    } catch (cause) {
      throw new BitsClientError(`"${this.#path}" cannot be read.`, { fatal: true, cause })
    }
  }
}

/** What was uploaded so far belongs to a file that is no more. */
export class FileChangedError extends BitsClientError {
  constructor(path: string) {
    super(`"${path}" has changed since its upload began; upload it anew.`, { fatal: true })
  }
}
