import type { Request } from 'express'

/** Identify the version of a reply for conditional requests. */
export interface Validators {
  readonly etag: string
  readonly lastModified: Date
}

/**
 * Evaluates `If-Match` and `If-Unmodified-Since` (RFC 9110 13.1.1, 13.1.4). The package fresh evaluates their
 * opposites, `If-None-Match` and `If-Modified-Since`.
 */
export function meetsPreconditions(req: Request, { etag, lastModified }: Validators): boolean {
  const ifMatch = req.get('If-Match')
  if (ifMatch !== undefined) {
    return ifMatch.split(',').some((one) => one.trim() === '*' || one.trim() === etag)
  }
  const since = Date.parse(req.get('If-Unmodified-Since') ?? '')
  // Invalid dates are ignored.
  return Number.isNaN(since) || inSeconds(lastModified) <= since
}

/** A range applies only if the content has not changed in the meantime (RFC 9110 13.1.5). */
export function isCurrent(req: Request, { etag, lastModified }: Validators): boolean {
  const ifRange = req.get('If-Range')
  if (ifRange === undefined) return true
  return ifRange.startsWith('"') ? ifRange === etag : Date.parse(ifRange) === inSeconds(lastModified)
}

/** In milliseconds, with the precision of an HTTP date. */
const inSeconds = (date: Date): number => Math.floor(date.getTime() / 1000) * 1000
