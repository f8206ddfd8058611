import type { Segment } from './keys.js'
import { SMALL } from './small-run.js'

/** Maximum number of uploads whose segments are remembered; those of others are merged later. */
const MAX_UPLOADS = 1000

/**
 * The newest segments of uploads, as the last listing showed them, for the append that follows it. Not needed for a
 * file that arrives in large fragments.
 */
export class RecentSegments {
  readonly #uploads = new Map<string, readonly Segment[]>()

  note(uploadId: string, segments: readonly Segment[]): void {
    this.#uploads.delete(uploadId)
    const [newest] = segments
    if (!newest || newest.end - newest.start >= SMALL) return
    this.#uploads.set(uploadId, segments)
    const [oldest] = this.#uploads.keys()
    if (this.#uploads.size > MAX_UPLOADS && oldest !== undefined) this.#uploads.delete(oldest)
  }

  take(uploadId: string): readonly Segment[] {
    const segments = this.#uploads.get(uploadId) ?? []
    this.#uploads.delete(uploadId)
    return segments
  }
}
