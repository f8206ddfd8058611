import { BoundedMap } from '../util/bounded-map.js'
import type { FileHash } from './file-hash.js'

/** About 1 KB each. An upload whose hash was removed is read once after all its bytes have arrived. */
const MAX_HASHES = 10_000

/** Hashes of the uploads that this process has received from their first byte on. */
export class UploadHashes {
  readonly #hashes: BoundedMap<string, FileHash>

  /** @param max uploads; the one that was idle for longest is removed. */
  constructor(max = MAX_HASHES) {
    this.#hashes = new BoundedMap(max)
  }

  get size(): number {
    return this.#hashes.size
  }

  get(uploadId: string): FileHash | undefined {
    return this.#hashes.get(uploadId)
  }

  keep(uploadId: string, hash: FileHash): void {
    this.#hashes.set(uploadId, hash)
  }

  forget(uploadId: string): void {
    this.#hashes.delete(uploadId)
  }
}
