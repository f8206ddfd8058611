import { mapConcurrently } from '../../util/map-concurrently.js'
import type { Bucket } from './bucket.js'
import type { S3Context } from './context.js'
import { type Piece, sizeOf, totalSize } from './cover.js'
import { readObject } from './read-object.js'
import type { Block } from './slab.js'

/** The bytes of a piece, as a range of its object. */
export const rangeOf = ({ segment, from, to }: Piece) => ({
  from: from - segment.start,
  to: to - segment.start,
})

/**
 * Reads pieces into a block of memory, one after another, and passes the bytes to `use`. Gives the block back.
 *
 * @param block of {@link totalSize} bytes at least.
 */
export async function withCollected<Result>(
  { bucket, budget }: Pick<S3Context, 'bucket' | 'budget'>,
  block: Block,
  pieces: readonly Piece[],
  concurrency: number,
  use: (bytes: Buffer) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  let result: Result
  try {
    const bytes = block.memory.subarray(0, totalSize(pieces))
    await readPieces(bucket, pieces, bytes, concurrency, signal)
    result = await use(bytes)
  } catch (error) {
    budget.abandon(block)
    throw error
  }
  budget.give(block)
  return result
}

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
  const options = { signal, isCopied: true }
  await mapConcurrently(places, concurrency, async ({ piece, start }) => {
    let position = start
    for await (const chunk of readObject(bucket, piece.segment.key, rangeOf(piece), options)) {
      position += chunk.copy(bytes, position)
    }
  })
}
