import { mapConcurrently } from '../../util/map-concurrently.js'
import type { Bucket } from './bucket.js'
import { type Piece, sizeOf, totalSize } from './cover.js'
import { readObject } from './read-object.js'

/** The bytes of a piece, as a range of its object. */
export const rangeOf = ({ segment, from, to }: Piece) => ({
  from: from - segment.start,
  to: to - segment.start,
})

/** Reads pieces into memory, one behind the other. */
export async function collect(
  bucket: Bucket,
  pieces: readonly Piece[],
  concurrency: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(totalSize(pieces))
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
  return bytes
}
