import { randomBytes } from 'node:crypto'

/** Bytes `start` to `end` (exclusive) of an upload, in an object that is written once and never changed. */
export interface Segment {
  readonly key: string
  readonly start: number
  readonly end: number
}

const UPLOAD_PREFIX = /^([0-9a-f]{32})\//
const SEGMENT = /\/s\/([0-9a-f]{14})-([0-9a-f]{14})-[0-9a-f]{12}$/
const NOTE = /\/p\/[0-9a-f]{12}$/

/**
 * Names of the objects below the staging prefix:
 *
 *     <id>/s/<2^53-1 - end>-<start>-<nonce>   a segment; numbers as 14 hexadecimal digits
 *     <id>/p/<nonce>                          a note of a multipart upload that may have to be aborted
 *     <id>/r                                  the reply
 *     probe/<nonce>                           what `open` tries conditional writes on
 *
 * Ends are counted down, so that a listing begins with the segment that reaches furthest. The nonce makes each name
 * unique: a delete that arrives late cannot hit another object.
 */
export class StagingKeys {
  /** Ends with a slash. */
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  uploadPrefix(uploadId: string): string {
    return `${this.prefix}${uploadId}/`
  }

  segmentPrefix(uploadId: string): string {
    return `${this.uploadPrefix(uploadId)}s/`
  }

  newSegment(uploadId: string, start: number, end: number): Segment {
    const countdown = hex(Number.MAX_SAFE_INTEGER - end)
    return { key: `${this.segmentPrefix(uploadId)}${countdown}-${hex(start)}-${nonce()}`, start, end }
  }

  newNote(uploadId: string): string {
    return `${this.uploadPrefix(uploadId)}p/${nonce()}`
  }

  reply(uploadId: string): string {
    return `${this.uploadPrefix(uploadId)}r`
  }

  newProbe(): string {
    return `${this.prefix}probe/${nonce()}`
  }

  /** The upload an object belongs to; `undefined` when it belongs to none. */
  uploadIdOf(key: string): string | undefined {
    return key.startsWith(this.prefix) ? UPLOAD_PREFIX.exec(key.slice(this.prefix.length))?.[1] : undefined
  }
}

/** Reads a segment's name; `undefined` when it is not one. */
export function parseSegment(key: string): Segment | undefined {
  const [, countdown, start] = SEGMENT.exec(key) ?? []
  if (countdown === undefined || start === undefined) return undefined
  const segment = {
    key,
    start: Number.parseInt(start, 16),
    end: Number.MAX_SAFE_INTEGER - Number.parseInt(countdown, 16),
  }
  return segment.start <= segment.end ? segment : undefined
}

export const isNote = (key: string): boolean => NOTE.test(key)

const hex = (value: number): string => value.toString(16).padStart(14, '0')
const nonce = (): string => randomBytes(6).toString('hex')
