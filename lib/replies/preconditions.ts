import type { Request } from 'express'

/** What a client may have seen before, and go by. */
export interface Validators {
  readonly etag: string
  readonly lastModified: Date
}

/**
 * Does the client mean this very content, if it says which it means (RFC 9110 13.1.1, 13.1.4)? What it says the other
 * way round, `If-None-Match` and `If-Modified-Since`, the package fresh judges.
 */
export function meetsPreconditions(req: Request, { etag, lastModified }: Validators): boolean {
  const ifMatch = req.get('If-Match')
  if (ifMatch !== undefined) {
    return ifMatch.split(',').some((one) => one.trim() === '*' || one.trim() === etag)
  }
  const since = Date.parse(req.get('If-Unmodified-Since') ?? '')
  // What is no date counts for nothing.
  return Number.isNaN(since) || inSeconds(lastModified) <= since
}

/** Is a range of use? Not of something that has changed meanwhile (RFC 9110 13.1.5). */
export function isCurrent(req: Request, { etag, lastModified }: Validators): boolean {
  const ifRange = req.get('If-Range')
  if (ifRange === undefined) return true
  return ifRange.startsWith('"') ? ifRange === etag : Date.parse(ifRange) === inSeconds(lastModified)
}

/** Milliseconds, as exact as an HTTP date can be. */
const inSeconds = (date: Date): number => Math.floor(date.getTime() / 1000) * 1000
