import { type FileHandle, open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { BitsClientError } from '../uploader/client-error.js'
import { FileChangedError } from '../uploader/file-changed-error.js'
import { READ_SIZE, type UploadSource } from './upload-source.js'

/** A local file to upload. */
export class LocalFile implements UploadSource {
  readonly #path: string
  readonly #handle: FileHandle
  readonly size: number
  readonly modified: number
  readonly name: string

  private constructor(path: string, handle: FileHandle, size: number, modified: number) {
    this.#path = path
    this.#handle = handle
    this.size = size
    this.modified = modified
    this.name = basename(path)
  }

  static async open(path: string): Promise<LocalFile> {
    const cannot = (cause: Error): never => {
      throw new BitsClientError(`The file cannot be opened: ${cause.message}.`, { fatal: true, cause })
    }
    // First: opening a pipe would wait for its other end, and no signal could stop that.
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
      const chunk = await this.#chunk(position, Math.min(READ_SIZE, end - position))
      if (chunk.length === 0) throw new FileChangedError(JSON.stringify(this.#path))
      position += chunk.length
      if (position === end) await this.assertUnchanged()
      yield chunk
    }
  }

  async assertUnchanged(size: number = this.size, modified: number = this.modified): Promise<void> {
    const stat = await this.#handle.stat()
    if (stat.size !== size || stat.mtimeMs !== modified)
      throw new FileChangedError(JSON.stringify(this.#path))
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
