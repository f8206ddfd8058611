import { finished, Readable } from 'node:stream'
import type { StagedData, StagedUpload, StorageAdapter, StoredFile } from '../../types/storage.js'
import { BitsError } from '../errors.js'

/** Options of a {@link MemoryStorage}. */
export interface MemoryStorageOptions {
  /** Bytes it may hold, staged and published together; beyond that the disk is "full". Default: 268,435,456 (256 MiB). */
  maxBytes?: number
}

interface Staged {
  chunks: Buffer[]
  length: number
  lastModified: Date
}

/** Uploads in memory, for tests and for small files that are consumed at once. */
export class MemoryStorage implements StorageAdapter {
  /** What has been published: destination to content. Yours to empty. */
  readonly files = new Map<string, Buffer>()
  readonly #staged = new Map<string, Staged>()
  readonly #maxBytes: number

  /** @throws TypeError when an option is wrong. */
  constructor(options: MemoryStorageOptions = {}) {
    const { maxBytes = 256 * 1024 * 1024 } = options
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
      throw new TypeError(
        `MemoryStorage: maxBytes is ${String(maxBytes)}: give a whole number of bytes from 1 up.`,
      )
    }
    this.#maxBytes = maxBytes
  }

  async has(destination: string): Promise<boolean> {
    return this.files.has(destination)
  }

  async begin(upload: StagedUpload): Promise<void> {
    this.#staged.set(upload.id, { chunks: [], length: 0, lastModified: new Date() })
  }

  async append(upload: StagedUpload, _offset: number, body: Readable, signal: AbortSignal): Promise<number> {
    const staged = this.#staged.get(upload.id)
    if (!staged) throw new BitsError('staged-data-missing', `Nothing is staged as ${upload.id}.`)
    await untilOver(body, signal, (chunk) => this.#keep(staged, chunk))
    return staged.length
  }

  async received(upload: StagedUpload): Promise<number> {
    return this.#staged.get(upload.id)?.length ?? 0
  }

  read(upload: StagedUpload): Readable {
    return Readable.from(this.#staged.get(upload.id)?.chunks ?? [])
  }

  async publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile> {
    const staged = this.#staged.get(upload.id)
    if (!staged)
      throw new BitsError('staged-data-missing', `The staged data of "${upload.destination}" is gone.`)
    const content = Buffer.concat(staged.chunks)
    if (this.files.has(upload.destination) && !options.overwrite) {
      throw new BitsError('destination-taken', `There is a file at "${upload.destination}" by now.`)
    }
    this.files.set(upload.destination, content)
    this.#staged.delete(upload.id)
    return { destination: upload.destination, size: content.length }
  }

  async discard(upload: StagedUpload): Promise<void> {
    this.#staged.delete(upload.id)
  }

  async *staged(): AsyncIterable<StagedData> {
    for (const [id, { lastModified }] of this.#staged) yield { id, lastModified }
  }

  /** Bytes held, staged and published. */
  get bytes(): number {
    const staged = [...this.#staged.values()].reduce((sum, { length }) => sum + length, 0)
    return [...this.files.values()].reduce((sum, { length }) => sum + length, staged)
  }

  #keep(staged: Staged, chunk: Buffer): void {
    if (this.bytes + chunk.length > this.#maxBytes) {
      throw new BitsError('disk-full', `MemoryStorage: its maxBytes of ${this.#maxBytes} are used up.`)
    }
    // A copy: the chunk is a part of a larger buffer, which it would keep in memory.
    staged.chunks.push(Buffer.from(chunk))
    staged.length += chunk.length
    staged.lastModified = new Date()
  }
}

/** Hands each chunk to `take` until the stream is over, for whatever reason, or `signal` aborts. */
function untilOver(body: Readable, signal: AbortSignal, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      try {
        take(chunk)
      } catch (error) {
        settle(() => reject(error))
      }
    }
    const onOver = () => settle(resolve)
    const settle = (outcome: () => void) => {
      body.off('data', onData).pause()
      signal.removeEventListener('abort', onOver)
      stopWatching()
      outcome()
    }
    const stopWatching = finished(body, { writable: false }, onOver)
    signal.addEventListener('abort', onOver, { once: true })
    if (signal.aborted) onOver()
    else body.on('data', onData)
  })
}
