import type { Segment } from './keys.js'
import { SMALL } from './small-run.js'

/** Maximum number of uploads whose segments are remembered; the service is asked for those of others. */
const MAX_UPLOADS = 1000

/**
 * Number of segments remembered of an upload, and requested in a listing, where they cost as much as one: enough for the
 * longest run of small segments.
 */
export const NEWEST = 100

/** The newest segments of uploads, in the order of a listing, as the last listing or the last append left them. */
export class RecentSegments {
  readonly #uploads = new Map<string, readonly Segment[]>()

  note(uploadId: string, segments: readonly Segment[]): void {
    this.#uploads.delete(uploadId)
    const [newest] = segments
    if (!newest) return
    // Those below a large one are never merged.
    const isLarge = newest.end - newest.start >= SMALL
    this.#uploads.set(uploadId, segments.slice(0, isLarge ? 1 : NEWEST))
    const [oldest] = this.#uploads.keys()
    if (this.#uploads.size > MAX_UPLOADS && oldest !== undefined) this.#uploads.delete(oldest)
  }

  /** End of the newest segment; `undefined` when none is remembered. */
  end(uploadId: string): number | undefined {
    return this.#uploads.get(uploadId)?.[0]?.end
  }

  /** Returns the segments and forgets them. */
  take(uploadId: string): readonly Segment[] {
    const segments = this.#uploads.get(uploadId) ?? []
    this.#uploads.delete(uploadId)
    return segments
  }
}
