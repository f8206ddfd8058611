import type { CompletedPart } from '@aws-sdk/client-s3'
import { mapConcurrently } from '../../util/map-concurrently.js'
import { rangeOf, withCollected } from './collect.js'
import type { S3Context } from './context.js'
import type { StartedMultipart } from './early-copies.js'
import type { MultipartUpload } from './multipart.js'
import { beginMultipart, endMultipart } from './noted-multipart.js'
import { groupParts, type Part, partSizeOf, piecesOf } from './plan-parts.js'
import type { WriteOptions } from './requester.js'

/** How an object is assembled. */
export interface AssembleOptions extends WriteOptions {
  /** A multipart upload for the object that has some of the parts. */
  readonly started?: StartedMultipart | undefined
}

/** Creates an object from parts, with a multipart upload. */
export async function assemble(
  context: S3Context,
  uploadId: string,
  parts: readonly Part[],
  key: string,
  { settings = {}, onlyIfNew, started }: AssembleOptions = {},
): Promise<void> {
  const { multipart, concurrency } = context
  const noted = started?.noted ?? (await beginMultipart(context, uploadId, key, settings))
  await endMultipart(context, noted, async (upload) => {
    const piecesAtOnce = Math.max(1, Math.floor(concurrency / parts.length))
    const completed = await mapConcurrently(
      parts,
      concurrency,
      async (part, index) =>
        started?.copied(index, part) ?? writePart(context, upload, index + 1, part, piecesAtOnce),
    )
    const size = parts.reduce((sum, part) => sum + partSizeOf(part), 0)
    await multipart.complete(upload, completed, { onlyIfNew, size })
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
  const block = await budget.take(partSizeOf(part))
  return withCollected({ bucket, budget }, block, part.pieces, concurrency, (bytes) =>
    multipart.uploadPart(upload, number, bytes),
  )
}

/**
 * Reduces the number of parts to what a multipart upload can have: groups of neighbors become one segment each, with
 * their own multipart uploads.
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
    await assemble(context, uploadId, group, segment.key)
    reduced.push({ kind: 'copy', piece: { segment, from: first.from, to: last.to } })
  }
  return reduced
}
