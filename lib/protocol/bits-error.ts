import { validateHeaderName, validateHeaderValue } from 'node:http'
import { describeValue } from '../validation/describe-value.js'
import { HRESULT, hresultOfStatus } from './hresult.js'

/** Who failed: the BITS server itself (0x5) or the server application behind it (0x7) (MC-BUP 2.2.1.2). */
export type ErrorContext = 0x5 | 0x7

interface Condition {
  readonly status: number
  /** Absent where the status says it all: a 416 carries no error headers (D1). */
  readonly hresult?: number
  readonly context: ErrorContext
}

/**
 * Every error a client can be told: condition, HTTP status, HRESULT, context (MC-BUP 2.2.1.2, 3.2.5.2, 3.3.6).
 * D-numbers are decisions where the sources differ.
 */
export const CONDITIONS = {
  'malformed-packet': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  'unknown-packet-type': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  'header-too-long': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  'invalid-range': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  'total-changed': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  'no-common-protocol': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  'destination-is-directory': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  'access-denied': { status: 403, hresult: HRESULT.E_ACCESSDENIED, context: 0x5 },
  'destination-refused': { status: 403, hresult: HRESULT.E_ACCESSDENIED, context: 0x5 },
  /** D11: not 409, after which Windows would try again for 14 days. */
  'destination-taken': { status: 403, hresult: HRESULT.E_ACCESSDENIED, context: 0x5 },
  'parent-missing': { status: 404, hresult: HRESULT.ERROR_PATH_NOT_FOUND, context: 0x5 },
  /** The data of an upload was removed behind the server's back (MC-BUP 3.2.5.2.7). */
  'staged-data-missing': { status: 404, hresult: HRESULT.ERROR_FILE_NOT_FOUND, context: 0x5 },
  /** D19 */
  'length-required': { status: 411, hresult: HRESULT.E_INVALIDARG, context: 0x5 },
  /** D12: not BG_E_TOO_LARGE, which a client reports to its user instead of sending smaller fragments. */
  'fragment-too-large': { status: 413, hresult: hresultOfStatus(413), context: 0x5 },
  'out-of-sync': { status: 416, context: 0x5 },
  'session-not-found': { status: 500, hresult: HRESULT.BG_E_SESSION_NOT_FOUND, context: 0x5 },
  'upload-too-large': { status: 500, hresult: HRESULT.BG_E_TOO_LARGE, context: 0x5 },
  /** D13: ERROR_DISK_FULL is 112 decimal; MC-BUP prints 0x80070112. */
  'disk-full': { status: 500, hresult: HRESULT.ERROR_DISK_FULL, context: 0x5 },
  unforeseen: { status: 500, hresult: HRESULT.E_FAIL, context: 0x5 },
  /** D18 */
  'uploads-disabled': { status: 501, hresult: HRESULT.E_ACCESSDENIED, context: 0x5 },
  /** D39. The client tries again, until another session of the user has ended. */
  'too-many-sessions': { status: 503, hresult: hresultOfStatus(503), context: 0x5 },
  'session-busy': { status: 503, hresult: hresultOfStatus(503), context: 0x5 },
  closing: { status: 503, hresult: hresultOfStatus(503), context: 0x5 },
  'application-failed': { status: 500, hresult: HRESULT.E_FAIL, context: 0x7 },
  'notification-unreachable': { status: 500, hresult: HRESULT.CANNOT_CONNECT, context: 0x7 },
  'notification-broken': { status: 500, hresult: HRESULT.CONNECTION_ERROR, context: 0x7 },
  'notification-invalid': { status: 411, hresult: HRESULT.E_INVALIDARG, context: 0x7 },
  'notification-timeout': { status: 408, hresult: HRESULT.NOTIFICATION_TIMEOUT, context: 0x7 },
  'reply-url-too-long': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x7 },
} as const satisfies Record<string, Condition>

/** A row of the error table. */
export type BitsErrorCode = keyof typeof CONDITIONS

/** An error with an answer of its own, for applications. */
export interface CustomCondition {
  /** HTTP status, from 300 to 599: an Ack with another one would tell the client that all went well, or nothing at all. */
  status: number
  /** Default: 0x80190000 + status, the HRESULT of that HTTP status. None goes with a 416 (D1). */
  hresult?: number | undefined
  /** Default: 0x5, the BITS server. */
  context?: ErrorContext | undefined
  /** Further headers of the Ack, `WWW-Authenticate` for example. */
  headers?: Record<string, string> | undefined
}

/**
 * An error that a client is told, as an Ack with status, HRESULT and context. The message is for people on this side:
 * it goes to the log, never on the wire.
 *
 * @example throw new BitsError('access-denied', 'The inventory share takes .xml files only.')
 * @example throw new BitsError({ status: 401, headers: { 'WWW-Authenticate': 'Basic' } }, 'No credentials.')
 */
export class BitsError extends Error {
  override readonly name = 'BitsError'
  /** Row of the error table, or `custom`. */
  readonly code: BitsErrorCode | 'custom'
  /** HTTP status. */
  readonly status: number
  /** Unsigned 32 bits; absent on a 416. */
  readonly hresult: number | undefined
  readonly context: ErrorContext
  readonly headers: Readonly<Record<string, string>>

  /** @throws RangeError for a status that is no failure's; TypeError for a header that cannot be sent. */
  constructor(condition: BitsErrorCode | CustomCondition, message: string, options?: ErrorOptions) {
    super(message, options)
    if (typeof condition === 'string') {
      const row: Condition = CONDITIONS[condition]
      this.code = condition
      this.status = row.status
      this.hresult = row.hresult
      this.context = row.context
      this.headers = {}
    } else {
      this.code = 'custom'
      this.status = failureStatus(condition.status)
      this.hresult =
        condition.status === 416 ? undefined : (condition.hresult ?? hresultOfStatus(condition.status))
      this.context = condition.context ?? 0x5
      this.headers = sendable(condition.headers ?? {})
    }
  }
}

function sendable(headers: Record<string, string>): Record<string, string> {
  const wrong = Object.entries(headers).find(([name, value]) => !isSendable(name, value))
  if (wrong) {
    throw new TypeError(
      `BitsError: the header ${JSON.stringify(wrong[0])} has a character that no header can have: take ASCII.`,
    )
  }
  return headers
}

/** Can Node send a header? */
export function isSendable(name: string, value: string): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}

function failureStatus(status: unknown): number {
  if (typeof status === 'number' && Number.isInteger(status) && status >= 300 && status <= 599) return status
  throw new RangeError(
    `BitsError: the status is ${describeValue(status)}: give a whole number from 300 to 599.`,
  )
}
