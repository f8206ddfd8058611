import type { IncomingMessage } from 'node:http'

/** The message continues in the next buffer. */
export const NEED_MORE = -1
/** A strict parser would not accept this, so nothing may be concluded from it. */
export const UNSURE = -2

/** Reads from `from`; returns where its part of the message ends, or {@link NEED_MORE}, or {@link UNSURE}. */
export type Reader = (bytes: Buffer, from: number) => number

export const CR = 0x0d
export const LF = 0x0a
const SEMICOLON = 0x3b

/** Lines that end in CRLF, up to and including an empty one: a head, or the trailers of a chunked body. */
export class Section {
  /** Lines read so far, the empty one included. */
  lines = 0
  #empty: boolean
  #afterCr = false

  /** @param empty whether the first line is still empty. A head's is not: it starts with the verb. */
  constructor(empty: boolean) {
    this.#empty = empty
  }

  /** Lenient parsers also end a line at a bare LF or CR; then only they know where the section ends. */
  read(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]
      if ((byte === LF) !== this.#afterCr) return UNSURE
      this.#afterCr = byte === CR
      if (byte === LF) {
        this.lines++
        if (this.#empty) return at + 1
        this.#empty = true
      } else if (byte !== CR) {
        this.#empty = false
      }
    }
    return NEED_MORE
  }
}

/** Finds the end of the body that Node's parser is about to read, from the headers that it reported. */
export function bodyOf({ rawHeaders }: IncomingMessage): Reader | 'none' | 'unsure' {
  let framing: 'content-length' | 'transfer-encoding' | undefined
  let value = ''
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? ''
    const trimmed = name.trim()
    if (trimmed !== 'content-length' && trimmed !== 'transfer-encoding') continue
    if (framing || name !== trimmed) return 'unsure'
    framing = trimmed
    value = rawHeaders[i + 1]?.toLowerCase() ?? ''
  }
  if (!framing) return 'none'
  if (framing === 'transfer-encoding') return value === 'chunked' ? chunked() : 'unsure'
  const length = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(length)) return 'unsure'
  return length === 0 ? 'none' : ofLength(length)
}

/**
 * Whether Node's parser takes these headers for an upgrade: if there is an `Upgrade`, and a `Connection` that lists it.
 * Versions of Node differ about tabs around it, which they do not pass on.
 */
export function upgradeOf({ rawHeaders }: IncomingMessage, head: string): 'none' | 'upgrade' | 'unsure' {
  let hasUpgrade = false
  let isListed = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? ''
    const value = rawHeaders[i + 1]?.toLowerCase() ?? ''
    if (name.trim() === 'upgrade') {
      if (name !== 'upgrade') return 'unsure'
      if (value !== '') hasUpgrade = true
    } else if (name.trim() === 'connection' && value.includes('upgrade')) {
      if (name !== 'connection' || head.includes('\t')) return 'unsure'
      const options = value.split(',').map((option) => option.trim())
      if (options.includes('upgrade')) isListed = true
    }
  }
  return hasUpgrade && isListed ? 'upgrade' : 'none'
}

function ofLength(length: number): Reader {
  let remaining = length
  return (bytes, from) => {
    remaining -= bytes.length - from
    return remaining > 0 ? NEED_MORE : bytes.length + remaining
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
          if (!Number.isSafeInteger(size)) return UNSURE
        } else if (digits > 0 && byte === SEMICOLON) part = 'extension'
        else if (digits > 0 && byte === CR) part = 'size LF'
        else return UNSURE
      } else if (part === 'extension') {
        if (byte === LF) return UNSURE
        if (byte === CR) part = 'size LF'
      } else if (part === 'size LF') {
        if (byte !== LF) return UNSURE
        part = size === 0 ? 'trailers' : 'data'
      } else if (part === 'data') {
        const here = Math.min(size, bytes.length - at)
        size -= here
        at += here - 1
        if (size === 0) part = 'data CR'
      } else if (part === 'data CR') {
        if (byte !== CR) return UNSURE
        part = 'data LF'
      } else if (part === 'data LF') {
        if (byte !== LF) return UNSURE
        part = 'size'
        digits = 0
      } else {
        return trailers.read(bytes, at)
      }
    }
    return NEED_MORE
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
