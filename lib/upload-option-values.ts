import { isIPv6 } from 'node:net'
import type { NotificationOptions } from '../types/delivery.js'
import type { BitsUploadOptions } from '../types/options.js'
import { findWrongHeader } from './options/notification.js'
import { findUnknownKey } from './validation/check-options.js'
import { describeValue } from './validation/describe-value.js'
import { interval, type Names } from './validation/value-checks.js'

const MAX_HOST_ID = 300
const MAX_NOTIFICATION_URL = 2200

const RATES: Names<Extract<BitsUploadOptions['maxBandwidth'], object>> = { perSession: true, total: true }
const NOTIFICATION: Names<NotificationOptions> = { type: true, url: true, timeout: true, headers: true }

export function bandwidth(value: unknown): string | undefined {
  const expected = 'bytes per second, a number above 0, or { perSession, total } with such numbers'
  const right = (rate: unknown) => typeof rate === 'number' && rate > 0
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return right(value) ? undefined : expected
  const other = findUnknownKey(value, RATES)
  if (other !== undefined) return `${expected}; there is no ${other}`
  return Object.values(value).every((rate) => rate === undefined || right(rate)) ? undefined : expected
}

export function hostId(value: unknown): string | undefined {
  const expected = `a host as in a URL, "bits2.example.com" or "[::1]:8080", at most ${MAX_HOST_ID} characters`
  if (typeof value !== 'string' || value === '' || value.length > MAX_HOST_ID) return expected
  // The protocol knows addresses of IPv6 without brackets, too (MC-BUP 2.2.3.2).
  const url = `http://${isIPv6(value) ? `[${value}]` : value}/`
  // It goes into a header: names in other letters have a form in ASCII (RFC 3492).
  const isPlain = /^[!-~]+$/.test(value) && !/[/?#@\\]/.test(value)
  const hasNoPort = !isIPv6(value) && /:0*$/.test(value)
  return isPlain && !hasNoPort && URL.canParse(url) ? undefined : expected
}

export function notification(value: unknown): string | undefined {
  const expected = "{ type: 'by-reference' or 'by-value', url, timeout, headers }"
  if (typeof value !== 'object' || value === null) return expected
  const field = (name: string): unknown => Reflect.get(value, name)
  const other = findUnknownKey(value, NOTIFICATION)
  if (other !== undefined) return `${expected}; there is no ${other}`
  if (field('type') !== 'by-reference' && field('type') !== 'by-value')
    return `${expected}; its type is ${describeValue(field('type'))}`
  const url = field('url')
  if (!isNotificationUrl(url)) {
    return `${expected}; its url is ${describeValue(maskUserInfo(url))}: an http: or https: URL, or a relative one, of at most ${MAX_NOTIFICATION_URL} characters`
  }
  const header = wrongHeader(field('headers'))
  if (header !== undefined) return `${expected}; ${header}`
  const late = field('timeout') === undefined ? undefined : interval(field('timeout'))
  return late === undefined
    ? undefined
    : `${expected}; its timeout is ${describeValue(field('timeout'))}: ${late}`
}

function isNotificationUrl(url: unknown): boolean {
  if (typeof url !== 'string' || url === '' || url.length > MAX_NOTIFICATION_URL) return false
  if (URL.canParse(url)) return /^https?:/i.test(url)
  // A relative one is asked of this server: "//elsewhere/handler" would not go where it says.
  const base = 'http://host/directory/file'
  return URL.canParse(url, base) && new URL(url, base).host === 'host'
}

/** A password may itself be what makes a URL none. */
export const maskUserInfo = <Value>(url: Value): Value | string =>
  typeof url === 'string' ? url.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@') : url

function wrongHeader(headers: unknown): string | undefined {
  if (headers === undefined) return undefined
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers)
    return 'its headers are names with texts as values'
  const wrong = findWrongHeader(Object.entries(headers))
  return wrong && `its header ${JSON.stringify(wrong.name)}: ${wrong.why}`
}
