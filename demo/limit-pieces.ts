import { refuseFile } from './refusal.js'

/** Bytes. */
const MAX_PIECE = 256 * 1024

/**
 * Passes bytes on to a parser as long as it produces output: an endless record or tag would fill the memory.
 *
 * @param made returns the number of pieces that the parser has produced so far.
 * @throws BitsError for a piece of more than 256 KiB.
 */
export async function* limitPieces(
  source: AsyncIterable<Buffer>,
  made: () => number,
): AsyncGenerator<Buffer> {
  let before = 0
  let length = 0
  for await (const chunk of source) {
    if (made() > before) length = 0
    before = made()
    length += chunk.length
    if (length > MAX_PIECE) throw refuseFile('A single piece of it is larger than 256 KiB.')
    yield chunk
  }
}
