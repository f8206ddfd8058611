import { setTimeout as delay } from 'node:timers/promises'
import type { StagedUpload } from '../../../types/storage.js'
import { mapConcurrently } from '../../util/map-concurrently.js'
import type { S3Context } from './context.js'
import { type Cover, coverOf, type Piece } from './cover.js'
import type { Segment } from './keys.js'
import { listStaged } from './staging.js'

/** Milliseconds after which an incomplete listing is requested again: some services list a new object late. */
const LISTING_LAG = 250

/** Pieces that make up a whole file, and the notes that were listed with them. */
export interface CompleteUpload {
  readonly pieces: readonly Piece[]
  readonly notes: readonly string[]
}

/** Lists what is staged for an upload. Returns `undefined` unless it is exactly the whole file. */
export async function completeCover(
  { bucket, keys }: S3Context,
  uploadId: string,
  total: number,
): Promise<CompleteUpload | undefined> {
  const { segments, notes } = await listStaged(bucket, keys, uploadId)
  const cover = coverOf(segments)
  return isWhole(cover, total) ? { pieces: cover.pieces, notes } : undefined
}

/** The cover of what is staged; listed twice if the first listing does not have all the bytes of the file. */
export async function readableCover(
  { bucket, keys }: S3Context,
  { uploadId, total }: Pick<StagedUpload, 'uploadId' | 'total'>,
): Promise<Cover> {
  const cover = coverOf((await listStaged(bucket, keys, uploadId)).segments)
  if (total === undefined || isWhole(cover, total)) return cover
  await delay(LISTING_LAG)
  return coverOf((await listStaged(bucket, keys, uploadId)).segments)
}

/**
 * The same for an upload that has to be complete. If there is a gap nevertheless, everything above it is removed, so
 * that the client learns where to continue.
 *
 * @throws Error when it is not complete.
 */
export async function requireComplete(
  context: S3Context,
  uploadId: string,
  total: number,
): Promise<CompleteUpload> {
  await delay(LISTING_LAG)
  const { segments, notes } = await listStaged(context.bucket, context.keys, uploadId)
  const cover = coverOf(segments)
  if (isWhole(cover, total)) return { pieces: cover.pieces, notes }
  if (cover.highest > cover.end) await removeAbove(context, cover.end, segments)
  throw new Error(
    `S3Storage: of ${total} bytes of upload ${uploadId}, ${cover.end} are staged without a gap, and the highest ends at ` +
      `${cover.highest}: it cannot be published.`,
  )
}

/** The highest first. If that fails, the next attempt to publish finds a gap again. */
async function removeAbove(
  { bucket, concurrency }: S3Context,
  hole: number,
  segments: readonly Segment[],
): Promise<void> {
  const above = segments.filter(({ start }) => start > hole).sort((a, b) => b.end - a.end)
  await mapConcurrently(above, concurrency, ({ key }) => bucket.delete(key))
}

const isWhole = ({ end, highest }: Cover, total: number): boolean => end === total && highest === total
