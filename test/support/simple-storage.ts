import { createReadStream } from 'node:fs'
import { access, link, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import { BitsError, type StagedUpload, type StorageAdapter, type StoredFile } from 'express-bits-upload'

/** A storage that a user of the package might write in a quarter of an hour, with only the required methods. */
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
    const length = await this.received(upload)
    if (offset !== length) throw new Error(`${part} has ${length} bytes: none can be appended at ${offset}.`)
    const file = await open(part, 'a')
    try {
      for await (const chunk of arriving(addAbortSignal(signal, body))) await file.appendFile(chunk)
    } finally {
      await file.close()
    }
    return this.received(upload)
  }

  async received(upload: StagedUpload): Promise<number> {
    return sizeOf(this.#part(upload))
  }

  read(upload: StagedUpload): Readable {
    return createReadStream(this.#part(upload))
  }

  async publish(upload: StagedUpload, { overwrite }: { overwrite: boolean }): Promise<StoredFile> {
    const part = this.#part(upload)
    const file = this.#file(upload.destination)
    const size = await sizeOf(part)
    if (size !== (upload.total ?? 0)) throw new Error(`${part} has ${size} bytes of ${upload.total}.`)
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
    return { destination: upload.destination, size }
  }

  async discard(upload: StagedUpload): Promise<void> {
    await rm(this.#part(upload), { force: true })
  }

  #part(upload: StagedUpload): string {
    return join(this.#directory, `.${upload.uploadId}`)
  }

  #file(destination: string): string {
    return join(this.#directory, destination)
  }
}

/** The part of a body that arrives, however it ends. The reader may stop at any time and leave the rest to others. */
async function* arriving(body: Readable): AsyncGenerator<Buffer> {
  try {
    yield* body.iterator({ destroyOnReturn: false })
  } catch {
    // The client continues after what has arrived.
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    (error) => {
      if (error.code !== 'ENOENT') throw error
      return 0
    },
  )

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
