import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { rename } from './fs.js'

/** A file that appears under its name all at once. Until then it has a random name in the same directory. */
export class AtomicFile {
  readonly #path: string
  readonly #target: string
  readonly #handle: FileHandle

  private constructor(path: string, target: string, handle: FileHandle) {
    this.#path = path
    this.#target = target
    this.#handle = handle
  }

  /** @param target path of the file, and its mode (default: 0o666 less the umask). */
  static async create({ path, mode }: { path: string; mode: number | undefined }): Promise<AtomicFile> {
    const draft = join(dirname(path), `.reply-${randomBytes(8).toString('hex')}.part`)
    return new AtomicFile(draft, path, await open(draft, 'wx', mode))
  }

  async write(chunk: Buffer, position: number): Promise<void> {
    let written = 0
    while (written < chunk.length) {
      const rest = chunk.length - written
      written += (await this.#handle.write(chunk, written, rest, position + written)).bytesWritten
    }
  }

  clear(): Promise<void> {
    return this.#handle.truncate(0)
  }

  /** Renames the file to its final name, replacing an existing file. */
  async publish(): Promise<void> {
    await this.#handle.sync()
    await this.#handle.close()
    await rename(this.#path, this.#target)
  }

  /** Removes what was written; may follow a failed `publish`. */
  async discard(): Promise<void> {
    // Closing a handle twice is harmless.
    await this.#handle.close()
    await rm(this.#path, { force: true })
  }
}
