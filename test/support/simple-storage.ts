import { createReadStream, createWriteStream } from 'node:fs'
import { access, link, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BitsError, type StagedUpload, type StorageAdapter, type StoredFile } from 'express-bits-upload'

/** A storage as a user of the package might write one in a quarter of an hour: the required methods, and no more. */
export class SimpleStorage implements StorageAdapter {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  has(destination: string): Promise<boolean> {
    return exists(this.#file(destination))
  }

  async begin(upload: StagedUpload): Promise<void> {
    await writeFile(this.#part(upload), '')
  }

  async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number> {
    const part = this.#part(upload)
    if (!(await exists(part))) await this.begin(upload)
    try {
      await pipeline(body, createWriteStream(part, { flags: 'r+', start: offset }), { signal })
    } catch (error) {
      if (!body.errored && !body.destroyed && !signal.aborted) throw error
    }
    return this.received(upload)
  }

  async received(upload: StagedUpload): Promise<number> {
    return (await exists(this.#part(upload))) ? (await stat(this.#part(upload))).size : 0
  }

  read(upload: StagedUpload): Readable {
    return createReadStream(this.#part(upload))
  }

  async publish(upload: StagedUpload, { overwrite }: { overwrite: boolean }): Promise<StoredFile> {
    const part = this.#part(upload)
    const file = this.#file(upload.destination)
    await mkdir(dirname(file), { recursive: true })
    if (overwrite) {
      await link(part, `${part}2`)
      await rename(`${part}2`, file)
      await rm(`${part}2`, { force: true })
    } else {
      await link(part, file).catch(async (error) => {
        const [mine, theirs] = await Promise.all([stat(part), stat(file)])
        if (mine.ino !== theirs.ino) throw new BitsError('destination-taken', String(error))
      })
    }
    return { destination: upload.destination, size: (await stat(file)).size }
  }

  async discard(upload: StagedUpload): Promise<void> {
    await rm(this.#part(upload), { force: true })
  }

  #part(upload: StagedUpload): string {
    return join(this.#directory, `.${upload.id}`)
  }

  #file(destination: string): string {
    return join(this.#directory, destination)
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
