import { randomBytes } from 'node:crypto'
import parseRange from 'range-parser'
import type { ByteRange } from '../../types/storage.js'

/** With more ranges than this the whole content is sent, as RFC 9110 14.2 allows: no client needs more for a reply. */
const MAX_RANGES = 8

/** What to send of the content: all of it, nothing, or parts in the requested order (MC-BUP 3.5.5). */
export type Selection = 'all' | 'none' | readonly ByteRange[]

/**
 * Parses a `Range` header. The whole content is sent if the header is not a list of byte ranges, has more than 8
 * ranges, or has ranges that overlap, which would multiply the bytes of the response (RFC 9110 14.2).
 * @param size of the content in bytes.
 */
export function selectRanges(header: string | undefined, size: number): Selection {
  const ranges = header === undefined ? -2 : parseRange(size, normalizeRanges(header, size))
  if (ranges === -1) return 'none'
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length > MAX_RANGES || overlap(ranges)) return 'all'
  return ranges.map(({ start, end }) => ({ start, end }))
}

function overlap(ranges: readonly ByteRange[]): boolean {
  const inOrder = [...ranges].sort((one, other) => one.start - other.start)
  return inOrder.some(({ start }, n) => start <= (inOrder[n - 1]?.end ?? -1))
}

/**
 * Accepts what RFC 9110 14.1 allows and the parser does not: a unit in any case (Win32 writes "Bytes"), empty list
 * elements, and "the last 500 bytes" of 100, which are all 100. A range that ends before it begins invalidates the
 * header.
 */
function normalizeRanges(header: string, size: number): string {
  const equals = header.indexOf('=')
  if (equals < 0) return ''
  const unit = header.slice(0, equals).trim().toLowerCase()
  const ranges = header
    .slice(equals + 1)
    .split(',')
    .map((range) => range.trim())
    .filter((range) => range !== '')
  if (ranges.some(isBackwards)) return ''
  return `${unit}=${ranges.map((range) => withinSize(range, size)).join(',')}`
}

function isBackwards(range: string): boolean {
  const [, first, last] = /^(\d+)\s*-\s*(\d+)$/.exec(range) ?? []
  return first !== undefined && Number(last) < Number(first)
}

const withinSize = (range: string, size: number): string =>
  range.replace(/^-(\d+)$/, (_, count) => `-${Math.min(Number(count), size)}`)

export const rangeHeader = ({ start, end }: ByteRange, size: number): string =>
  `bytes ${start}-${end}/${size}`

/** Several ranges in one body: `multipart/byteranges` (RFC 9110 14.6), with only the headers that BITS reads. */
export class Multipart {
  readonly #boundary = randomBytes(12).toString('hex')
  readonly #ranges: readonly ByteRange[]
  readonly #size: number
  readonly #contentType: string

  constructor(ranges: readonly ByteRange[], size: number, contentType: string) {
    this.#ranges = ranges
    this.#size = size
    this.#contentType = contentType
  }

  get contentType(): string {
    return `multipart/byteranges; boundary=${this.#boundary}`
  }

  /** In bytes. */
  get length(): number {
    const parts = this.#ranges.map((range) => this.#head(range).length + range.end - range.start + 1)
    return parts.reduce((sum, length) => sum + length, this.#tail.length)
  }

  /** @param read returns the bytes of a range. */
  async *body(read: (range: ByteRange) => AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for (const range of this.#ranges) {
      yield this.#head(range)
      yield* read(range)
    }
    yield this.#tail
  }

  #head(range: ByteRange): Buffer {
    const before = range === this.#ranges[0] ? '' : '\r\n'
    return Buffer.from(
      `${before}--${this.#boundary}\r\nContent-Type: ${this.#contentType}\r\n` +
        `Content-Range: ${rangeHeader(range, this.#size)}\r\n\r\n`,
    )
  }

  get #tail(): Buffer {
    return Buffer.from(`\r\n--${this.#boundary}--\r\n`)
  }
}
