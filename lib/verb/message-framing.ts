import type { IncomingMessage } from 'node:http'

/** The message goes on in the next buffer. */
export const MORE = -1
/** What was found is not what a strict parser takes: nothing may be concluded from it. */
export const DOUBT = -2

/** Reads on from `from`; returns where its part of the message ends, or {@link MORE}, or {@link DOUBT}. */
export type Reader = (bytes: Buffer, from: number) => number

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b

/** Lines that end in CRLF, up to and including an empty one: a head, or the trailers of a chunked body. */
export class Section {
  /** Lines read so far, the empty one included. */
  lines = 0
  #empty: boolean
  #afterCr = false

  /** @param empty is the first line empty as yet? Not a head's: the verb's first byte has been seen. */
  constructor(empty: boolean) {
    this.#empty = empty
  }

  /** Lenient parsers end a line at a bare LF or CR too; then nobody but they know where the section ends. */
  read(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]
      if ((byte === LF) !== this.#afterCr) return DOUBT
      this.#afterCr = byte === CR
      if (byte === LF) {
        this.lines++
        if (this.#empty) return at + 1
        this.#empty = true
      } else if (byte !== CR) {
        this.#empty = false
      }
    }
    return MORE
  }
}

/**
 * Finds the end of the body that Node's parser is about to read, from the headers it handed out.
 *
 * @param headerLines how many header lines the head had on the wire: Node drops those beyond `maxHeadersCount`, a
 * Content-Length among them, which its parser heeds all the same.
 */
export function bodyOf({ rawHeaders }: IncomingMessage, headerLines: number): Reader | 'none' | 'doubt' {
  if (rawHeaders.length !== 2 * headerLines) return 'doubt'
  let framing: 'content-length' | 'transfer-encoding' | undefined
  let value = ''
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? ''
    const trimmed = name.trim()
    if (trimmed !== 'content-length' && trimmed !== 'transfer-encoding') continue
    if (framing || name !== trimmed) return 'doubt'
    framing = trimmed
    value = rawHeaders[i + 1]?.toLowerCase() ?? ''
  }
  if (!framing) return 'none'
  if (framing === 'transfer-encoding') return value === 'chunked' ? chunked() : 'doubt'
  const length = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(length)) return 'doubt'
  return length === 0 ? 'none' : ofLength(length)
}

function ofLength(length: number): Reader {
  let remaining = length
  return (bytes, from) => {
    remaining -= bytes.length - from
    return remaining > 0 ? MORE : bytes.length + remaining
  }
}

/** RFC 9112 7.1: chunks of a size line, data and CRLF, the last of size 0; then the trailers. */
function chunked(): Reader {
  let part: 'size' | 'extension' | 'size LF' | 'data' | 'data CR' | 'data LF' | 'trailers' = 'size'
  let size = 0
  let digits = 0
  const trailers = new Section(true)

  return (bytes, from) => {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (part === 'size') {
        const digit = hexDigit(byte)
        if (digit >= 0) {
          size = size * 16 + digit
          digits++
          if (!Number.isSafeInteger(size)) return DOUBT
        } else if (digits > 0 && byte === SEMICOLON) part = 'extension'
        else if (digits > 0 && byte === CR) part = 'size LF'
        else return DOUBT
      } else if (part === 'extension') {
        if (byte === LF) return DOUBT
        if (byte === CR) part = 'size LF'
      } else if (part === 'size LF') {
        if (byte !== LF) return DOUBT
        part = size === 0 ? 'trailers' : 'data'
      } else if (part === 'data') {
        const here = Math.min(size, bytes.length - at)
        size -= here
        at += here - 1
        if (size === 0) part = 'data CR'
      } else if (part === 'data CR') {
        if (byte !== CR) return DOUBT
        part = 'data LF'
      } else if (part === 'data LF') {
        if (byte !== LF) return DOUBT
        part = 'size'
        digits = 0
      } else {
        return trailers.read(bytes, at)
      }
    }
    return MORE
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
