import { BoundedMap } from '../../util/bounded-map.js'
import type { Segment } from './keys.js'
import { SMALL } from './small-run.js'

/** Maximum number of uploads whose segments are remembered; the service is asked for those of others. */
const MAX_UPLOADS = 1000

/** Milliseconds until the service is asked again: another server may have received much more by then. */
const KNOWN_FOR = 60_000

/**
 * Maximum number of segments that are remembered of an upload, and requested in a listing, which costs the same for one.
 * Small segments are normally merged before there are more.
 */
export const NEWEST_SEGMENTS = 100

interface Remembered {
  readonly segments: readonly Segment[]
  /** Milliseconds since 1970, which also pass while a machine is suspended. */
  readonly since: number
}

/**
 * The newest segments of uploads, in the order of a listing, as the last listing or append under the session's lock left
 * them.
 */
export class RecentSegments {
  readonly #uploads = new BoundedMap<string, Remembered>(MAX_UPLOADS)

  remember(uploadId: string, segments: readonly Segment[]): void {
    const [newest] = segments
    // Those below a large one are never merged.
    const isLarge = newest !== undefined && newest.end - newest.start >= SMALL
    this.#uploads.set(uploadId, {
      segments: segments.slice(0, isLarge ? 1 : NEWEST_SEGMENTS),
      since: Date.now(),
    })
  }

  /** Number of bytes that were staged; `undefined` when that is not known, or not recent. */
  endOf(uploadId: string): number | undefined {
    const remembered = this.#uploads.get(uploadId)
    if (!remembered) return undefined
    const age = Date.now() - remembered.since
    // Negative if the clock was set back.
    return age >= 0 && age <= KNOWN_FOR ? (remembered.segments[0]?.end ?? 0) : undefined
  }

  /** What is remembered of an upload; nothing if that is not known. */
  get(uploadId: string): readonly Segment[] {
    return this.#uploads.get(uploadId)?.segments ?? []
  }

  forget(uploadId: string): void {
    this.#uploads.delete(uploadId)
  }
}
