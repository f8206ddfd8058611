import type { ContentRange } from '../../types/packets.js'
import { BitsError } from './bits-error.js'

const RANGE = /^bytes\s+(\d+)-(\d+)\/(\d+)$/i
/** D16: what a client may make of an empty file, since RFC 2616 has no words for it. */
const EMPTY = /^bytes\s+(?:0--1|\*)\/0$/i

/**
 * Reads the `Content-Range` of a fragment (MC-BUP 2.2.6.1, RFC 2616 14.16): `bytes first-last/total`.
 *
 * @throws BitsError `invalid-range` when it is not one; `upload-too-large` when the total exceeds 2^53 - 1 bytes,
 * beyond which JavaScript cannot count.
 */
export function parseContentRange(value: string): ContentRange {
  if (EMPTY.test(value)) return { first: 0, last: -1, total: 0 }
  const match = RANGE.exec(value)
  if (!match)
    throw new BitsError('invalid-range', `Content-Range "${value}" is not "bytes first-last/total".`)
  const [first = NaN, last = NaN, total = NaN] = match.slice(1).map(Number)
  if (total > Number.MAX_SAFE_INTEGER) {
    throw new BitsError('upload-too-large', `Content-Range "${value}" names a total above 2^53 - 1 bytes.`)
  }
  if (last < first || last >= total) {
    throw new BitsError('invalid-range', `Content-Range "${value}" does not lie within its total.`)
  }
  return { first, last, total }
}

/** Bytes that a range spans. */
export const rangeLength = (range: ContentRange): number => range.last - range.first + 1
