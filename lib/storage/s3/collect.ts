import { mapConcurrently } from '../../util/map-concurrently.js'
import type { Bucket } from './bucket.js'
import { bufferSizeFor } from './buffer-pool.js'
import type { S3Context } from './context.js'
import { type Piece, sizeOf, totalSize } from './cover.js'
import { readObject } from './read-object.js'

/** The bytes of a piece, as a range of its object. */
export const rangeOf = ({ segment, from, to }: Piece) => ({
  from: from - segment.start,
  to: to - segment.start,
})

/** Reads pieces into memory, one after another, and passes the bytes to `use`. */
export async function withCollected<Result>(
  { bucket, budget }: Pick<S3Context, 'bucket' | 'budget'>,
  pieces: readonly Piece[],
  concurrency: number,
  use: (bytes: Buffer) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const size = totalSize(pieces)
  const memory = budget.pool.get(bufferSizeFor(size))
  const bytes = memory.subarray(0, size)
  await readPieces(bucket, pieces, bytes, concurrency, signal)
  const result = await use(bytes)
  // Not after a failure: a request may still be reading the memory.
  budget.pool.put(memory)
  return result
}

/** Memory that {@link withCollected} needs. */
export const memoryFor = (pieces: readonly Piece[]): number => bufferSizeFor(totalSize(pieces))

async function readPieces(
  bucket: Bucket,
  pieces: readonly Piece[],
  bytes: Buffer,
  concurrency: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let end = 0
  const places = pieces.map((piece) => {
    const start = end
    end += sizeOf(piece)
    return { piece, start }
  })
  await mapConcurrently(places, concurrency, async ({ piece, start }) => {
    let position = start
    for await (const chunk of readObject(bucket, piece.segment.key, rangeOf(piece), signal)) {
      position += chunk.copy(bytes, position)
    }
  })
}
