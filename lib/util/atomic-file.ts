import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FileTarget } from '../client/reply/reply-target.js'

/** A file in the making, beside the one that it will be, under a name that nothing else has. */
export class AtomicFile {
  readonly #path: string
  readonly #target: string
  readonly #handle: FileHandle

  private constructor(path: string, target: string, handle: FileHandle) {
    this.#path = path
    this.#target = target
    this.#handle = handle
  }

  static async create({ path, mode }: FileTarget): Promise<AtomicFile> {
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

  /** Puts it in its place, in that of a file that is there. */
  async publish(): Promise<void> {
    await this.#handle.sync()
    await this.#handle.close()
    await rename(this.#path, this.#target)
  }

  /** After a failed `publish`, too. */
  async discard(): Promise<void> {
    // A handle may be closed twice.
    await this.#handle.close()
    await rm(this.#path, { force: true })
  }
}
