/** Maximum number of uploads to remember; forgotten ones are synced once more. */
const MAX_SYNCED_UPLOADS = 10_000

/** Data that extends beyond what is known to be on disk. */
interface SyncFailure {
  readonly path: string
  /** Bytes to go back to. */
  readonly length: number
}

/**
 * How much of an upload's staged data is known to be on disk.
 *
 * Linux reports a failed write to disk once, drops the pages, and lets the next sync succeed. So a failure is
 * remembered: what was not synced before it does not count, whatever a later sync says, until it has been sent again.
 */
export class SyncedLengths {
  readonly #synced = new Map<string, number>()
  readonly #failed = new Map<string, SyncFailure>()

  /** Bytes known to be on disk; `undefined` if unknown. */
  synced(uploadId: string): number | undefined {
    return this.failedAt(uploadId) ?? this.#synced.get(uploadId)
  }

  /** Bytes to go back to; `undefined` unless a sync has failed since. */
  failedAt(uploadId: string): number | undefined {
    return this.#failed.get(uploadId)?.length
  }

  noteSynced(uploadId: string, length: number): void {
    this.#failed.delete(uploadId)
    this.#synced.delete(uploadId)
    this.#synced.set(uploadId, length)
    if (this.#synced.size > MAX_SYNCED_UPLOADS) {
      for (const oldest of this.#synced.keys()) {
        this.#synced.delete(oldest)
        break
      }
    }
  }

  /** @returns the bytes to go back to. */
  noteFailure(uploadId: string, path: string): number {
    const length = this.synced(uploadId) ?? 0
    this.#failed.set(uploadId, { path, length })
    return length
  }

  /** The file was truncated to the bytes to go back to: its size can be trusted again. */
  noteCut(uploadId: string): void {
    this.#failed.delete(uploadId)
  }

  get failures(): ReadonlyMap<string, SyncFailure> {
    return this.#failed
  }

  forget(uploadId: string): void {
    this.#failed.delete(uploadId)
    this.#synced.delete(uploadId)
  }
}
