import { refuseFile } from './refusal.js'

/** Bytes. */
const MAX_PIECE = 256 * 1024

/**
 * Passes bytes on to a parser while it produces output: a record or a tag without end would fill the
 * memory.
 *
 * @param made how many pieces the parser has made so far.
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
