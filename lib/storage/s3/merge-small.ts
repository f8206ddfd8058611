import { debuglog } from 'node:util'
import { mapConcurrently } from '../../util/map-concurrently.js'
import { withCollected } from './collect.js'
import type { S3Context } from './context.js'
import { coverOf, totalSize } from './cover.js'
import type { Segment } from './keys.js'
import { smallRun } from './small-run.js'

const logMerge = debuglog('express-bits-upload:s3')

/**
 * Merges the newest small segments of an upload into one, once there are many. The merged segment exists before those
 * that it replaces are deleted. A failure has no effect, because the upload is complete without it.
 *
 * @param segments the newest of the upload, in the order of a listing.
 * @returns the newest segments now, as far as this process knows; `undefined` when it does not.
 */
export async function mergeSmall(
  context: S3Context,
  uploadId: string,
  segments: readonly Segment[],
  total: number | undefined,
  signal: AbortSignal,
): Promise<readonly Segment[] | undefined> {
  const run = smallRun(segments, total)
  if (!run || signal.aborted) return segments
  try {
    const merged = await mergeRun(context, uploadId, run, signal)
    return merged ? [merged, ...segments.filter((segment) => !run.includes(segment))] : segments
  } catch (error) {
    logMerge('the small segments of %s were not merged: %s', uploadId, error)
    return undefined
  }
}

async function mergeRun(
  { bucket, budget, keys, concurrency }: S3Context,
  uploadId: string,
  run: readonly Segment[],
  signal: AbortSignal,
): Promise<Segment | undefined> {
  const start = run.at(-1)?.start ?? 0
  const { pieces, end } = coverOf(run, start)
  // Uploads wait for memory, merging does not: it can be done after the next fragment.
  const block = budget.tryTake(totalSize(pieces))
  if (!block) return undefined
  const merged = keys.newSegment(uploadId, start, end)
  const put = (bytes: Buffer) => bucket.put(merged.key, bytes, { signal })
  await withCollected({ bucket, budget }, block, pieces, concurrency, put, signal)
  await mapConcurrently(run, concurrency, ({ key }) => bucket.delete(key, signal))
  return merged
}
