import type { ContentRange } from '../../types/packets.js'
import { BitsError } from './bits-error.js'

const RANGE = /^bytes\s+(\d+)-(\d+)\/(\d+)$/i
/** D16: forms in which clients send the range of an empty file, for which RFC 2616 has no syntax. */
const EMPTY = /^bytes\s+(?:0--1|\*)\/0$/i

/**
 * Parses the `Content-Range` of a fragment (MC-BUP 2.2.6.1, RFC 2616 14.16): `bytes first-last/total`.
 * @throws BitsError `invalid-range` when it has another form; `upload-too-large` when the total exceeds 2^53 - 1
 * bytes, the largest integer that JavaScript can represent exactly.
 */
export function parseContentRange(value: string): ContentRange {
  if (EMPTY.test(value)) return { first: 0, last: -1, total: 0 }
  const match = RANGE.exec(value)
  if (!match)
    throw new BitsError('invalid-range', `Content-Range "${value}" is not "bytes first-last/total".`)
  const [first = NaN, last = NaN, total = NaN] = match.slice(1).map(Number)
  if (total > Number.MAX_SAFE_INTEGER) {
    throw new BitsError('upload-too-large', `Content-Range "${value}" has a total above 2^53 - 1 bytes.`)
  }
  if (last < first || last >= total) {
    throw new BitsError('invalid-range', `Content-Range "${value}" is not within its total.`)
  }
  return { first, last, total }
}

/** The number of bytes in a range. */
export const rangeLength = (range: ContentRange): number => range.last - range.first + 1
