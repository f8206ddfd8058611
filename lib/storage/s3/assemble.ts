import type { CompletedPart } from '@aws-sdk/client-s3'
import { mapConcurrently } from '../../util/map-concurrently.js'
import { collect, rangeOf } from './collect.js'
import type { S3Context } from './context.js'
import { type Piece, totalSize } from './cover.js'
import type { Segment } from './keys.js'
import type { MultipartUpload } from './multipart.js'
import { withMultipart } from './noted-multipart.js'
import type { S3ObjectSettings } from './object-settings.js'
import { groupParts, type Part, partSizeOf, piecesOf } from './plan-parts.js'

/** An object to be made of parts. */
export interface Target {
  readonly key: string
  readonly settings?: S3ObjectSettings
  /** Runs the request after which the object is there. */
  readonly finish?: (request: () => Promise<void>) => Promise<void>
  readonly onlyIfNew?: boolean
}

/** Makes an object of parts, by a multipart upload. */
export async function assemble(
  context: S3Context,
  uploadId: string,
  parts: readonly Part[],
  { key, settings = {}, onlyIfNew = false, finish = (request) => request() }: Target,
): Promise<void> {
  const { multipart, concurrency } = context
  await withMultipart(context, uploadId, key, settings, async (upload) => {
    const piecesAtOnce = Math.max(1, Math.floor(concurrency / parts.length))
    const completed = await mapConcurrently(parts, concurrency, (part, index) =>
      writePart(context, upload, index + 1, part, piecesAtOnce),
    )
    const size = parts.reduce((sum, part) => sum + partSizeOf(part), 0)
    await finish(() => multipart.complete(upload, completed, { onlyIfNew, size }))
  })
}

async function writePart(
  { bucket, multipart, budget }: S3Context,
  upload: MultipartUpload,
  number: number,
  part: Part,
  concurrency: number,
): Promise<CompletedPart> {
  if (part.kind === 'copy')
    return multipart.copyPart(upload, number, part.piece.segment.key, rangeOf(part.piece))
  const taken = await budget.take(partSizeOf(part))
  try {
    return await multipart.uploadPart(upload, number, await collect(bucket, part.pieces, concurrency))
  } finally {
    budget.give(taken)
  }
}

/** Joins pieces in memory and stores them as a segment. */
export async function joinPieces(
  { bucket, budget, keys, concurrency }: S3Context,
  uploadId: string,
  pieces: readonly Piece[],
): Promise<Segment> {
  const size = totalSize(pieces)
  const start = pieces[0]?.from ?? 0
  const segment = keys.newSegment(uploadId, start, start + size)
  const taken = await budget.take(size)
  try {
    await bucket.put(segment.key, await collect(bucket, pieces, concurrency))
  } finally {
    budget.give(taken)
  }
  return segment
}

/**
 * Makes of more parts than a multipart upload can have so few that it can: neighbours become one segment each, by
 * multipart uploads of their own.
 */
export async function reduceParts(
  context: S3Context,
  uploadId: string,
  parts: readonly Part[],
): Promise<Part[]> {
  const { keys, limits } = context
  const reduced: Part[] = []
  for (const group of groupParts(parts, limits.maxParts)) {
    const pieces = group.flatMap(piecesOf)
    const [first] = pieces
    const last = pieces.at(-1)
    if (!first || !last) continue
    const segment = keys.newSegment(uploadId, first.from, last.to)
    await assemble(context, uploadId, group, { key: segment.key })
    reduced.push({ kind: 'copy', piece: { segment, from: first.from, to: last.to } })
  }
  return reduced
}
