import type { NotificationOptions } from '../../types/delivery.js'
import { MAX_URL } from '../protocol/limits.js'
import { findUnknownKey } from '../validation/check-options.js'
import { describeValue } from '../validation/describe-value.js'
import { interval, type Names } from '../validation/value-checks.js'
import { findWrongHeader } from './notification-headers.js'

const NOTIFICATION_FIELDS: Names<NotificationOptions> = {
  type: true,
  url: true,
  timeout: true,
  headers: true,
}

/** What the URL of a notification must be; completes "use". */
export const NOTIFICATION_URL_EXPECTED = `an http: or https: URL, or a relative one, of at most ${MAX_URL.toLocaleString('en')} characters`

/** Checks the option `notification`. */
export function isNotification(value: unknown): string | undefined {
  const expected = "{ type: 'by-reference' or 'by-value', url, timeout, headers }"
  if (typeof value !== 'object' || value === null) return expected
  const field = (name: string): unknown => Reflect.get(value, name)
  const unknown = findUnknownKey(value, NOTIFICATION_FIELDS)
  if (unknown !== undefined) return `${expected}; there is no ${unknown}`
  if (field('type') !== 'by-reference' && field('type') !== 'by-value')
    return `${expected}; its type is ${describeValue(field('type'))}`
  const url = field('url')
  if (!isNotificationUrl(url))
    return `${expected}; its url is ${describeValue(maskUserInfo(url))}: ${NOTIFICATION_URL_EXPECTED}`
  const header = headersProblem(field('headers'))
  if (header !== undefined) return `${expected}; ${header}`
  const timeout = field('timeout')
  const expectedTimeout = timeout === undefined ? undefined : interval(timeout)
  return expectedTimeout && `${expected}; its timeout is ${describeValue(timeout)}: ${expectedTimeout}`
}

function isNotificationUrl(url: unknown): boolean {
  if (typeof url !== 'string' || url === '' || url.length > MAX_URL) return false
  if (URL.canParse(url)) return /^https?:/i.test(url)
  // A relative URL is requested from this server: "//elsewhere/handler" would go to another one.
  const base = 'http://host/directory/file'
  return URL.canParse(url, base) && new URL(url, base).host === 'host'
}

/** The URL without credentials. An unescaped password may be the reason why it does not parse, so it is not parsed. */
export function maskUserInfo<Value>(url: Value): Value | string {
  if (typeof url !== 'string') return url
  const end = url.lastIndexOf('@')
  if (end < 0) return url
  const scheme = /^[a-z]+:\/\//i.exec(url.slice(0, 20))?.[0] ?? ''
  return `${scheme}…${url.slice(end)}`
}

function headersProblem(headers: unknown): string | undefined {
  if (headers === undefined) return undefined
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers)
    return 'its headers must be an object with strings as values'
  const wrong = findWrongHeader(Object.entries(headers))
  return wrong && `its header ${JSON.stringify(wrong.name)}: ${wrong.why}`
}
