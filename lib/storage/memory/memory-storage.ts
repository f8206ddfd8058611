import { Readable } from 'node:stream'
import type {
  ByteRange,
  StagedData,
  StagedUpload,
  StorageAdapter,
  StoredFile,
  StoredReply,
} from '../../../types/storage.js'
import { BitsError } from '../../protocol/bits-error.js'
import { checkEach, type OptionChecks } from '../../validation/check-options.js'
import { isInteger } from '../../validation/value-checks.js'
import { SizedFileMap } from './counted-files.js'
import { readChunks } from './read-chunks.js'

/** Options of a {@link MemoryStorage}. */
export interface MemoryStorageOptions {
  /**
   * Maximum number of bytes, staged and published together; then the disk is "full". Default: 268,435,456 (256 MiB).
   */
  maxBytes?: number | undefined
}

const MEMORY_STORAGE_CHECKS: OptionChecks<MemoryStorageOptions> = {
  maxBytes: (value) => isInteger(value, 'bytes', 1),
}

interface Staged {
  chunks: Buffer[]
  length: number
  /** Bytes that count as staged; none once published, when they count as the file's. */
  counted: number
  lastModified: Date
  /** The file at its destination: the same memory, under a second name until the upload is discarded. */
  published?: Buffer
}

/** Uploads in memory, for tests, and for small files that are consumed immediately. */
export class MemoryStorage implements StorageAdapter {
  /** Published files: destination to content. You may remove entries. */
  readonly files: Map<string, Buffer>
  readonly #files = new SizedFileMap()
  readonly #staged = new Map<string, Staged>()
  readonly #replies = new Map<string, { content: Buffer; lastModified: Date }>()
  readonly #maxBytes: number
  /** Bytes staged and of replies, including those that are still arriving. */
  #bytes = 0

  /** @throws OptionError when an option is invalid. */
  constructor(options: MemoryStorageOptions = {}) {
    checkEach({ name: 'MemoryStorage', checks: MEMORY_STORAGE_CHECKS }, options)
    this.#maxBytes = options.maxBytes ?? 256 * 1024 * 1024
    this.files = this.#files
  }

  async has(destination: string): Promise<boolean> {
    return this.files.has(destination)
  }

  async begin(upload: StagedUpload): Promise<void> {
    this.#begin(upload)
  }

  async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number> {
    // After a restart nothing is staged: only an upload that starts over does not need it.
    const staged = this.#staged.get(upload.uploadId) ?? (offset === 0 ? this.#begin(upload) : undefined)
    if (!staged) throw missingData(upload)
    if (offset !== staged.length) {
      throw new Error(`${upload.uploadId} has ${staged.length} bytes: none can be appended at ${offset}.`)
    }
    await readChunks(body, signal, (chunk) => this.#keep(staged, chunk))
    return staged.length
  }

  async received(upload: StagedUpload): Promise<number> {
    return this.#staged.get(upload.uploadId)?.length ?? 0
  }

  read(upload: StagedUpload): Readable {
    const staged = this.#staged.get(upload.uploadId)
    return staged ? Readable.from(staged.chunks) : failing(missingData(upload))
  }

  async publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile> {
    const staged = this.#staged.get(upload.uploadId)
    if (!staged)
      throw new BitsError('staged-data-missing', `The staged data of "${upload.destination}" was removed.`)
    const total = upload.total ?? 0
    if (staged.length !== total) {
      throw new Error(
        `${upload.uploadId} has ${staged.length} bytes of ${total} staged: it cannot be published.`,
      )
    }
    const there = this.files.get(upload.destination)
    const isOurs = there !== undefined && there === staged.published
    if (there && !isOurs && !options.overwrite) {
      throw new BitsError('destination-taken', `There is already a file at "${upload.destination}".`)
    }
    // It stays staged until it is discarded, so that a publication can be repeated.
    staged.published ??= Buffer.concat(staged.chunks)
    staged.chunks = [staged.published]
    this.files.set(upload.destination, staged.published)
    this.#bytes -= staged.counted
    staged.counted = 0
    return { destination: upload.destination, size: staged.length }
  }

  async discard(upload: StagedUpload, options: { keepReply?: boolean } = {}): Promise<void> {
    this.#forget(upload)
    if (!options.keepReply) this.#setReply(upload, undefined)
  }

  async writeReply(upload: StagedUpload, body: Readable): Promise<number> {
    const chunks: Buffer[] = []
    let length = 0
    try {
      for await (const chunk of body) {
        // A copy, like that of staged data.
        const bytes = Buffer.from(chunk)
        // The earlier reply is replaced, so its bytes do not count.
        this.#makeRoom(bytes.length - this.#replyLength(upload))
        chunks.push(bytes)
        length += bytes.length
        this.#bytes += bytes.length
      }
    } finally {
      this.#bytes -= length
    }
    this.#setReply(upload, Buffer.concat(chunks))
    return length
  }

  async statReply(upload: StagedUpload): Promise<StoredReply | undefined> {
    const reply = this.#replies.get(upload.uploadId)
    return reply && { size: reply.content.length, lastModified: reply.lastModified }
  }

  readReply(upload: StagedUpload, range?: ByteRange): Readable {
    const content = this.#replies.get(upload.uploadId)?.content
    // A reader that was promised these bytes must not get an empty stream.
    if (!content)
      return failing(new BitsError('staged-data-missing', `The reply of ${upload.uploadId} was removed.`))
    return Readable.from([range ? content.subarray(range.start, range.end + 1) : content], {
      objectMode: false,
    })
  }

  async *staged(): AsyncIterable<StagedData> {
    for (const [id, { lastModified }] of this.#staged) yield { uploadId: id, lastModified }
  }

  /** Bytes held: staged, published, and replies. */
  get bytes(): number {
    return this.#bytes + this.#files.bytes
  }

  #begin(upload: StagedUpload): Staged {
    this.#forget(upload)
    const staged: Staged = { chunks: [], length: 0, counted: 0, lastModified: new Date() }
    this.#staged.set(upload.uploadId, staged)
    return staged
  }

  #forget({ uploadId }: StagedUpload): void {
    this.#bytes -= this.#staged.get(uploadId)?.counted ?? 0
    this.#staged.delete(uploadId)
  }

  #replyLength({ uploadId }: StagedUpload): number {
    return this.#replies.get(uploadId)?.content.length ?? 0
  }

  #setReply(upload: StagedUpload, content: Buffer | undefined): void {
    this.#bytes += (content?.length ?? 0) - this.#replyLength(upload)
    if (content) this.#replies.set(upload.uploadId, { content, lastModified: new Date() })
    else this.#replies.delete(upload.uploadId)
  }

  #makeRoom(bytes: number): void {
    if (this.bytes + bytes <= this.#maxBytes) return
    throw new BitsError('disk-full', `MemoryStorage: its maxBytes of ${this.#maxBytes} are used up.`)
  }

  #keep(staged: Staged, chunk: Buffer): void {
    this.#makeRoom(chunk.length)
    // A copy: the chunk is a part of a larger buffer, which it would keep in memory.
    staged.chunks.push(Buffer.from(chunk))
    staged.length += chunk.length
    staged.counted += chunk.length
    this.#bytes += chunk.length
    staged.lastModified = new Date()
  }
}

const missingData = ({ uploadId }: StagedUpload): BitsError =>
  new BitsError('staged-data-missing', `Nothing is staged as ${uploadId}.`)

const failing = (error: Error): Readable =>
  new Readable({
    read() {
      this.destroy(error)
    },
  })
