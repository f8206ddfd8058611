import { pipeline, type Readable, Transform } from 'node:stream'
import type { SessionRecord } from '../../types/session.js'
import { algorithmsFor } from '../delivery/file-digest-of.js'
import { FileHash } from '../delivery/file-hash.js'
import { allowRelease, ChunkRelease } from '../util/release-chunks.js'
import type { UploadService } from './context.js'

/** The body of a fragment, hashed while the storage reads it. */
export interface HashedBody {
  readonly body: Readable
  /** Call it with the staged length when the storage has succeeded. */
  staged(length: number): void
}

/**
 * Hashes the new bytes of a fragment while the storage reads them, if the upload needs checksums and its earlier bytes
 * were hashed here, too.
 *
 * @param body begins at `before`.
 * @param before bytes staged before.
 */
export function hashWhileStaging(
  body: Readable,
  before: number,
  record: SessionRecord,
  { hashes, settings }: UploadService,
): HashedBody {
  const algorithms = algorithmsFor(record, settings)
  if (algorithms.length === 0) return { body, staged: () => {} }
  const { uploadId } = record
  const known = before === 0 ? new FileHash(algorithms) : hashes.get(uploadId)
  // Until the storage has succeeded, it is unknown which bytes are staged.
  hashes.forget(uploadId)
  if (known?.length !== before || !known.hasAll(algorithms)) return { body, staged: () => {} }
  const hashing = new HashingStream(body, known)
  // Readers of `hashing` receive a failure from it.
  pipeline(body, hashing, () => {})
  return {
    body: hashing,
    staged(length) {
      if (hashing.hashUpTo(length)) hashes.keep(uploadId, known)
    },
  }
}

/**
 * Passes on bytes, and hashes those that were read from it: bytes of an incomplete fragment that the storage has not
 * read are sent again.
 */
class HashingStream extends Transform {
  readonly #hash: FileHash
  readonly #memory: ChunkRelease
  /** Chunks that are not hashed yet. */
  readonly #pending: Buffer[] = []
  #pendingBytes = 0

  /** @param source will be piped to this stream. */
  constructor(source: Readable, hash: FileHash) {
    super()
    this.#hash = hash
    this.#memory = new ChunkRelease(source)
    allowRelease(this, (stored) => this.#release(stored))
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk: Buffer) => void,
  ): void {
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    const unread = this.readableLength + chunk.length
    for (let next = this.#pending[0]; next; next = this.#pending[0]) {
      if (this.#pendingBytes - next.length < unread) break
      this.#hashFirst(next.length)
    }
    done(null, chunk)
  }

  /** @returns whether exactly the first `length` bytes of the upload are hashed now. */
  hashUpTo(length: number): boolean {
    for (let missing = length - this.#hash.length; missing > 0; missing = length - this.#hash.length) {
      const [next] = this.#pending
      if (!next) break
      this.#hashFirst(Math.min(missing, next.length))
    }
    return this.#hash.length === length
  }

  #release(stored: readonly Buffer[]): void {
    const last = stored.at(-1)
    const count = last ? this.#pending.indexOf(last) + 1 : 0
    for (const { length } of this.#pending.slice(0, count)) this.#hashFirst(length)
    this.#memory.release(stored)
  }

  /** Hashes the first `count` bytes of the first chunk. */
  #hashFirst(count: number): void {
    const [next] = this.#pending
    if (!next) return
    this.#hash.update(next.subarray(0, count))
    this.#pendingBytes -= count
    if (count === next.length) this.#pending.shift()
    else this.#pending[0] = next.subarray(count)
  }
}
