import { validateHeaderName, validateHeaderValue } from 'node:http'
import { describeValue } from '../validation/describe-value.js'
import { HRESULT, hresultOfStatus } from './hresult.js'

/** Which side failed: the BITS server itself (0x5) or the server application behind it (0x7) (MC-BUP 2.2.1.2). */
export type ErrorContext = 0x5 | 0x7

interface Condition {
  readonly status: number
  /** Absent where the status is sufficient: a 416 has no error headers (D1). */
  readonly hresult?: number
  readonly context: ErrorContext
  /**
   * `true` for what clients and applications may cause at any time, which is a warning in the log. `false` for what the
   * operator has to look into, which causes the event `error`.
   */
  readonly expected: boolean
}

/**
 * All errors sent to clients: condition, HTTP status, HRESULT, context (MC-BUP 2.2.1.2, 3.2.5.2, 3.3.6), and
 * whether a warning is enough for the operator. D-numbers
 * are decisions where the sources differ.
 */
export const CONDITIONS = {
  'malformed-packet': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  'unknown-packet-type': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  'header-too-long': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  'invalid-range': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  'total-changed': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  /** The bytes that arrived are not those that the client means to send. */
  'digest-mismatch': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  'no-common-protocol': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  'destination-is-directory': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  'access-denied': { status: 403, hresult: HRESULT.E_ACCESSDENIED, context: 0x5, expected: true },
  'destination-refused': { status: 403, hresult: HRESULT.E_ACCESSDENIED, context: 0x5, expected: true },
  /** D11: not 409, which Windows would retry for 14 days. */
  'destination-taken': { status: 403, hresult: HRESULT.E_ACCESSDENIED, context: 0x5, expected: true },
  'parent-missing': { status: 404, hresult: HRESULT.ERROR_PATH_NOT_FOUND, context: 0x5, expected: true },
  /** Another program removed the data of an upload (MC-BUP 3.2.5.2.7). */
  'staged-data-missing': { status: 404, hresult: HRESULT.ERROR_FILE_NOT_FOUND, context: 0x5, expected: true },
  /** D19 */
  'length-required': { status: 411, hresult: HRESULT.E_INVALIDARG, context: 0x5, expected: true },
  /** D12: not BG_E_TOO_LARGE, which a client reports to its user instead of sending smaller fragments. */
  'fragment-too-large': { status: 413, hresult: hresultOfStatus(413), context: 0x5, expected: true },
  'out-of-sync': { status: 416, context: 0x5, expected: true },
  'session-not-found': { status: 500, hresult: HRESULT.BG_E_SESSION_NOT_FOUND, context: 0x5, expected: true },
  'upload-too-large': { status: 500, hresult: HRESULT.BG_E_TOO_LARGE, context: 0x5, expected: true },
  /** D13: ERROR_DISK_FULL is 112 in decimal; MC-BUP prints 0x80070112. */
  'disk-full': { status: 500, hresult: HRESULT.ERROR_DISK_FULL, context: 0x5, expected: false },
  unforeseen: { status: 500, hresult: HRESULT.E_FAIL, context: 0x5, expected: false },
  /** D18 */
  'uploads-disabled': { status: 501, hresult: HRESULT.E_ACCESSDENIED, context: 0x5, expected: true },
  /** D39. The client retries until another session of the user has ended. */
  'too-many-sessions': { status: 503, hresult: hresultOfStatus(503), context: 0x5, expected: true },
  /** D39. The client creates its session later. */
  'too-many-new-sessions': { status: 503, hresult: hresultOfStatus(503), context: 0x5, expected: true },
  'session-busy': { status: 503, hresult: hresultOfStatus(503), context: 0x5, expected: true },
  closing: { status: 503, hresult: hresultOfStatus(503), context: 0x5, expected: true },
  'application-failed': { status: 500, hresult: HRESULT.E_FAIL, context: 0x7, expected: false },
  'notification-unreachable': { status: 500, hresult: HRESULT.CANNOT_CONNECT, context: 0x7, expected: true },
  'notification-broken': { status: 500, hresult: HRESULT.CONNECTION_ERROR, context: 0x7, expected: true },
  'notification-invalid': { status: 411, hresult: HRESULT.E_INVALIDARG, context: 0x7, expected: true },
  'notification-timeout': {
    status: 408,
    hresult: HRESULT.NOTIFICATION_TIMEOUT,
    context: 0x7,
    expected: true,
  },
  'reply-url-too-long': { status: 400, hresult: HRESULT.E_INVALIDARG, context: 0x7, expected: true },
} as const satisfies Record<string, Condition>

/**
 * Marks errors of every copy of this class: a process may load several, as the CommonJS builds of the sub-paths each
 * contain their own.
 */
const BRAND = Symbol.for('express-bits-upload.BitsError')

/** A row of the error table. */
export type BitsErrorCode = keyof typeof CONDITIONS

/** The response to an error that has no row in the table, chosen by the application. */
export interface CustomCondition {
  /** HTTP status from 300 to 599: an Ack with another one would report success, or mean nothing to the client. */
  status: number
  /** Default: 0x80190000 + status, the HRESULT of that HTTP status. A 416 has none (D1). */
  hresult?: number | undefined
  /** Default: 0x5, the BITS server. */
  context?: ErrorContext | undefined
  /** Additional headers of the Ack, such as `WWW-Authenticate`. */
  headers?: Record<string, string> | undefined
}

/**
 * An error that is sent to the client as an Ack with status, HRESULT and context. The message is for the log of the server
 * and is never sent.
 *
 * @example throw new BitsError('access-denied', 'The inventory share takes .xml files only.')
 * @example throw new BitsError({ status: 401, headers: { 'WWW-Authenticate': 'Basic' } }, 'No credentials.')
 */
export class BitsError extends Error {
  static {
    Object.defineProperty(BitsError.prototype, BRAND, { value: true })
  }

  /** `instanceof BitsError` also holds for errors of another copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit it, and recognize their own instances only.
    if (this !== BitsError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true
  }

  override readonly name = 'BitsError'
  /** Row of the error table, or `custom`. */
  readonly code: BitsErrorCode | 'custom'
  /** HTTP status. */
  readonly status: number
  /** Unsigned 32 bits; absent on a 416. */
  readonly hresult: number | undefined
  readonly context: ErrorContext
  readonly headers: Readonly<Record<string, string>>
  /** Whether a warning in the log is enough; otherwise the event `error` is emitted. Always `true` for `custom`. */
  readonly expected: boolean

  /** @throws RangeError for a status that is not an error; TypeError for a header that cannot be sent. */
  constructor(condition: BitsErrorCode | CustomCondition, message: string, options?: ErrorOptions) {
    super(message, options)
    if (typeof condition === 'string') {
      const row: Condition = CONDITIONS[condition]
      this.code = condition
      this.status = row.status
      this.hresult = row.hresult
      this.context = row.context
      this.headers = {}
      this.expected = row.expected
    } else {
      this.code = 'custom'
      this.status = failureStatus(condition.status)
      this.hresult =
        condition.status === 416 ? undefined : (condition.hresult ?? hresultOfStatus(condition.status))
      this.context = condition.context ?? 0x5
      this.headers = sendable(condition.headers ?? {})
      this.expected = true
    }
  }
}

function sendable(headers: Record<string, string>): Record<string, string> {
  const wrong = Object.entries(headers).find(([name, value]) => !isSendable(name, value))
  if (wrong) {
    throw new TypeError(
      `BitsError: the header ${JSON.stringify(wrong[0])} has a character that is not allowed in headers: use ASCII.`,
    )
  }
  return headers
}

/** Tells whether Node can send a header. */
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
    `BitsError: the status is ${describeValue(status)}: use a whole number from 300 to 599.`,
  )
}
