import { KIB, MIB } from '../../util/bytes.js'
import type { Segment } from './keys.js'

/** Segments below this size are merged: they are too small for a part of a multipart upload. */
export const SMALL = 5 * MIB
const TINY = 128 * KIB
const TINY_RUN = 32
const LONG_RUN = 64
const MIN_MERGED = 8 * MIB
/** A merged segment is held in memory while it is written. */
const MAX_MERGED = 32 * MIB
/** Keeps the parts of a large file below the 10,000 of a multipart upload. */
const MERGED_PER_FILE = 9000

/**
 * Chooses the segments to merge into one, so that even a file in fragments of 5 KB consists of few objects, and each
 * byte is written at most about three times.
 *
 * @param segments the newest of an upload, in the order of a listing.
 * @returns adjacent segments, newest first; `undefined` when there is nothing to merge yet.
 */
export function smallRun(
  segments: readonly Segment[],
  total: number | undefined,
): readonly Segment[] | undefined {
  const run = newestRun(segments)
  if (run.length < 2) return undefined
  const enough = Math.min(MAX_MERGED, Math.max(MIN_MERGED, (total ?? 0) / MERGED_PER_FILE))
  if (run.length >= LONG_RUN || spanOf(run) >= enough) return run
  const tiny = run.findIndex((segment) => segmentSize(segment) >= TINY)
  const tail = tiny < 0 ? run : run.slice(0, tiny)
  return tail.length >= TINY_RUN ? tail : undefined
}

/** Small segments from the top down, each adjacent to or overlapping the one before. */
function newestRun(segments: readonly Segment[]): Segment[] {
  const run: Segment[] = []
  let [candidate, ...below] = segments
  while (candidate && segmentSize(candidate) < SMALL) {
    run.push(candidate)
    const { start } = candidate
    candidate = undefined
    for (const segment of below) {
      if (segment.end < start) break
      if (segment.start < (candidate?.start ?? start)) candidate = segment
    }
    below = below.filter((segment) => segment !== candidate)
  }
  return run
}

const segmentSize = ({ start, end }: Segment): number => end - start

const spanOf = (run: readonly Segment[]): number => (run[0]?.end ?? 0) - (run.at(-1)?.start ?? 0)
