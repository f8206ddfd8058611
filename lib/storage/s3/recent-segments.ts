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
    // Those below a large one are never merged.
    const isLarge = newest !== undefined && newest.end - newest.start >= SMALL
    this.#uploads.set(uploadId, segments.slice(0, isLarge ? 1 : NEWEST))
    const [oldest] = this.#uploads.keys()
    if (this.#uploads.size > MAX_UPLOADS && oldest !== undefined) this.#uploads.delete(oldest)
  }

  /** Number of bytes that were staged; `undefined` when that is not remembered. */
  end(uploadId: string): number | undefined {
    const segments = this.#uploads.get(uploadId)
    return segments && (segments[0]?.end ?? 0)
  }

  /** Returns the segments. */
  get(uploadId: string): readonly Segment[] {
    return this.#uploads.get(uploadId) ?? []
  }

  forget(uploadId: string): void {
    this.#uploads.delete(uploadId)
  }
}
