import { HRESULT } from '../protocol/hresult.js'
import type { BitsClientError, RequestKind } from './client-error.js'

/** What to do after a failure (MC-BUP 3.1.5.1.7, 3.1.5.2.1). */
export type Reaction = 'restart' | 'smaller-fragment' | 'retry' | 'give-up'

export function reactionTo(error: BitsClientError): Reaction {
  if (error.fatal) return 'give-up'
  if (error.hresult === HRESULT.BG_E_SESSION_NOT_FOUND) {
    return error.packet === 'Cancel-Session' ? 'give-up' : 'restart'
  }
  if (error.packet === 'Fragment' && error.status === 413) return 'smaller-fragment'
  return 'retry'
}

/** Reported to the user regardless of the status: something must change first (MC-BUP 3.1.5.2.1). */
const FATAL_HRESULTS = new Set<number>([HRESULT.BG_E_TOO_LARGE, HRESULT.E_INVALIDARG])

/**
 * Whether a file exists that the server does not overwrite. By Win32 ack-for-create-session, servers answer 409, which
 * Windows retries for days; but the file will not disappear by itself.
 */
export const isDestinationTaken = (packet: RequestKind, hresult: number | undefined): boolean =>
  packet === 'Create-Session' && hresult === HRESULT.ERROR_FILE_EXISTS

/**
 * Whether the server itself rejects the range of a fragment (MC-BUP 2.2.1.2). A server application that refuses the
 * file does not count, whatever its status.
 */
export const isRangeRefused = ({ packet, status, hresult, context }: BitsClientError): boolean =>
  packet === 'Fragment' &&
  context !== 'server application' &&
  (status === 400 || status === 416 || hresult === HRESULT.E_INVALIDARG)

/**
 * Whether sending this again would fail in the same way (Win32 handling-server-application-errors,
 * ack-for-close-session).
 */
export function isFatal(packet: RequestKind, status: number, hresult: number | undefined): boolean {
  if (hresult === HRESULT.BG_E_SESSION_NOT_FOUND) return false
  if (packet === 'Close-Session' || packet === 'Cancel-Session') return status < 500 || status > 599
  if (packet === 'Fragment' && status === 413) return false
  if (isDestinationTaken(packet, hresult)) return true
  if (hresult !== undefined && FATAL_HRESULTS.has(hresult)) return true
  // 308 is newer than that table. Redirects are not followed, so another attempt would end the same way.
  if (status >= 300 && status <= 399) return status <= 305 || status === 307 || status === 308
  if (status >= 400 && status <= 499) return status !== 408 && status !== 409
  return status === 501 || status === 505
}

export interface Delays {
  /** Milliseconds. */
  readonly minRetryDelay: number
  readonly maxRetryDelay: number
}

/** Milliseconds to wait after the nth consecutive failure: doubled each time, then reduced at random by up to half. */
export function backOff(failures: number, delays: Delays, random: () => number = Math.random): number {
  const whole = Math.min(delays.maxRetryDelay, delays.minRetryDelay * 2 ** (failures - 1))
  return Math.round(whole * (0.5 + random() / 2))
}
