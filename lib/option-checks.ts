import { isIPv6 } from 'node:net'
import type { BitsUploadOptions, RequestSettings } from '../types/options.js'

/** The smallest largest fragment: no Windows client sends smaller ones (MC-BUP note 10). */
const MIN_FRAGMENT_SIZE = 5 * 1024
/** Seconds: what fits Node's timers. */
const MAX_INTERVAL = 2 ** 31 / 1000 - 1
const MAX_HOST_ID = 300
const MAX_NOTIFICATION_URL = 2200

const STORAGE_METHODS = ['has', 'begin', 'append', 'received', 'read', 'publish', 'discard'] as const
const STORE_METHODS = ['create', 'get', 'update', 'delete', 'list', 'expired'] as const

/** What a value should be instead; `undefined` when it is right. */
type Check = (value: unknown) => string | undefined

/** One check for each option. */
export const CHECKS: { readonly [Name in keyof Required<BitsUploadOptions>]: Check } = {
  storage: objectWith(STORAGE_METHODS, 'a FileStorage, a MemoryStorage or your own StorageAdapter'),
  directory: (value) => (typeof value === 'string' && value !== '' ? undefined : 'a path'),
  sessions: objectWith(STORE_METHODS, 'a FileSessionStore, a MemorySessionStore or your own SessionStore'),
  maxUploadSize: (value) => wholeNumber(value, 'bytes', 0),
  maxFragmentSize: (value) => wholeNumber(value, 'bytes', MIN_FRAGMENT_SIZE),
  overwrite: trueOrFalse,
  sessionTimeout: seconds,
  maxSessionsPerUser: (value) =>
    value === Number.POSITIVE_INFINITY ? undefined : orElse(wholeNumber(value, 'sessions', 1), 'or Infinity'),
  maxBandwidth: bandwidth,
  enabled: (value) => (typeof value === 'boolean' ? undefined : orElse(aFunction(value), 'or true or false')),
  hostId,
  hostIdFallbackTimeout: (value) => wholeNumber(value, 'seconds', 0),
  cleanupInterval: (value) =>
    seconds(value) ?? (Number(value) > MAX_INTERVAL ? 'at most 24 days, in seconds' : undefined),
  authorize: aFunction,
  user: aFunction,
  onUpload: aFunction,
  notification,
  trustSessionId: trueOrFalse,
  perRequest: aFunction,
  logger: objectWith(['info', 'warn', 'error'], 'console, or a logger like it'),
  acceptPost: trueOrFalse,
  acceptBitsPost: trueOrFalse,
}

/** What may differ from request to request. */
const REQUEST_SETTINGS: ReadonlySet<string> = new Set([
  'storage',
  'directory',
  'sessions',
  'maxUploadSize',
  'maxFragmentSize',
  'overwrite',
  'enabled',
  'maxSessionsPerUser',
  'hostId',
  'hostIdFallbackTimeout',
  'onUpload',
  'notification',
] satisfies (keyof RequestSettings)[])

/**
 * Checks what `perRequest` answered as far as the options of the same names do not.
 *
 * @throws TypeError a sentence, as {@link checkOptions}.
 */
export function checkRequestSettings(settings: unknown): void {
  if (typeof settings !== 'object' || settings === null) {
    throw new TypeError(`bitsUpload(): perRequest answered ${shown(settings)}: give settings, or nothing.`)
  }
  const other = Object.keys(settings).find((name) => name in CHECKS && !REQUEST_SETTINGS.has(name))
  if (other !== undefined) {
    throw new TypeError(`bitsUpload(): perRequest answered ${other}, which is the same for all requests.`)
  }
  const given = (name: string) => Reflect.get(settings, name) !== undefined
  if (given('sessions') && !given('storage') && !given('directory')) {
    throw new TypeError('bitsUpload(): perRequest answered sessions: give their storage or directory, too.')
  }
}

/**
 * Checks what the option `user` answered: an app in plain JavaScript may answer anything. A session is its user's by
 * comparison, also after a restart, so it has to be what any store gives back as it was.
 *
 * @returns `undefined` for nobody in particular.
 * @throws TypeError a sentence with the answer's type. The answer itself may be personal, and sentences are logged.
 */
export function checkUser(answer: unknown): string | undefined {
  if (answer === undefined || answer === null) return undefined
  if (typeof answer === 'string') return answer
  throw new TypeError(
    `bitsUpload(): the option user answered a value of type ${typeof answer}: give a string, or undefined or null ` +
      'for nobody in particular.',
  )
}

/**
 * Checks options one by one, and those that exclude each other.
 *
 * @throws TypeError a sentence that names the option, its value and what to give instead.
 */
export function checkOptions(options: BitsUploadOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`bitsUpload(): its options are ${String(options)}: give an object, or nothing.`)
  }
  const checks = new Map(Object.entries(CHECKS))
  for (const [name, value] of Object.entries(options)) {
    const check = checks.get(name)
    if (!check) throw unknownOption(name)
    const wanted = value === undefined ? undefined : check(value)
    if (wanted) throw new TypeError(`bitsUpload(): the option ${name} is ${shown(value)}: give ${wanted}.`)
  }
  if (options.storage && options.directory) {
    throw new TypeError(
      'bitsUpload(): directory is short for a FileStorage: give storage or directory, not both.',
    )
  }
  if (options.onUpload && options.notification) {
    throw new TypeError(
      'bitsUpload(): an upload is delivered in one way: give onUpload or notification, not both.',
    )
  }
  if (options.hostIdFallbackTimeout && options.hostId === undefined) {
    throw new TypeError('bitsUpload(): hostIdFallbackTimeout says when to give up hostId: give that, too.')
  }
}

function unknownOption(name: string): TypeError {
  const names = Object.keys(CHECKS)
  const meant = names.find((known) => known.toLowerCase() === name.toLowerCase())
  const hint = meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}.`
  return new TypeError(`bitsUpload(): there is no option ${JSON.stringify(name)}: ${hint}`)
}

function objectWith(methods: readonly string[], wanted: string): Check {
  return (value) => {
    if (typeof value !== 'object' || value === null) return wanted
    const missing = methods.filter((name) => typeof Reflect.get(value, name) !== 'function')
    return missing.length === 0
      ? undefined
      : `${wanted}; it lacks ${missing.map((name) => `${name}()`).join(', ')}`
  }
}

function bandwidth(value: unknown): string | undefined {
  const wanted = 'bytes per second, a number above 0, or { perSession, total } with such numbers'
  const right = (rate: unknown) => typeof rate === 'number' && rate > 0
  if (typeof value !== 'object' || value === null) return right(value) ? undefined : wanted
  const known = Object.entries(value).every(
    ([name, rate]) => ['perSession', 'total'].includes(name) && (rate === undefined || right(rate)),
  )
  return known ? undefined : wanted
}

function hostId(value: unknown): string | undefined {
  const wanted = `a host as in a URL, "bits2.example.com" or "[::1]:8080", at most ${MAX_HOST_ID} characters`
  if (typeof value !== 'string' || value === '' || value.length > MAX_HOST_ID) return wanted
  // The protocol knows addresses of IPv6 without brackets, too (MC-BUP 2.2.3.2).
  const url = `http://${isIPv6(value) ? `[${value}]` : value}/`
  return URL.canParse(url) && !/[/?#@\\\s]/.test(value) ? undefined : wanted
}

function notification(value: unknown): string | undefined {
  const wanted = "{ type: 'by-reference' or 'by-value', url, timeout, headers }"
  if (typeof value !== 'object' || value === null) return wanted
  const field = (name: string): unknown => Reflect.get(value, name)
  const unknown = Object.keys(value).find((name) => !['type', 'url', 'timeout', 'headers'].includes(name))
  if (unknown !== undefined) return `${wanted}; there is no ${unknown}`
  if (field('type') !== 'by-reference' && field('type') !== 'by-value')
    return `${wanted}; its type is ${shown(field('type'))}`
  const url = field('url')
  if (!isNotificationUrl(url)) {
    return `${wanted}; its url is ${shown(url)}: an http: or https: URL, or a relative one, of at most ${MAX_NOTIFICATION_URL} characters`
  }
  const late = field('timeout') === undefined ? undefined : CHECKS.cleanupInterval(field('timeout'))
  return late === undefined ? undefined : `${wanted}; its timeout is ${shown(field('timeout'))}: ${late}`
}

function isNotificationUrl(url: unknown): boolean {
  if (typeof url !== 'string' || url === '' || url.length > MAX_NOTIFICATION_URL) return false
  if (URL.canParse(url)) return /^https?:/i.test(url)
  // A relative one is asked of this server: "//elsewhere/handler" would not go where it says.
  const base = 'http://host/directory/file'
  return URL.canParse(url, base) && new URL(url, base).host === 'host'
}

const orElse = (wanted: string | undefined, other: string): string | undefined =>
  wanted === undefined ? undefined : `${wanted}, ${other}`

function wholeNumber(value: unknown, unit: string, min: number): string | undefined {
  return Number.isSafeInteger(value) && Number(value) >= min
    ? undefined
    : `a whole number of ${unit}, from ${min} to 2^53 - 1`
}

function seconds(value: unknown): string | undefined {
  return Number.isFinite(value) && Number(value) > 0 ? undefined : 'a number of seconds above 0'
}

function trueOrFalse(value: unknown): string | undefined {
  return typeof value === 'boolean' ? undefined : 'true or false'
}

function aFunction(value: unknown): string | undefined {
  return typeof value === 'function' ? undefined : 'a function'
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return `the function or class ${value.name || 'without a name'}`
  return typeof value === 'object' && value !== null
    ? (value.constructor?.name ?? 'an object')
    : String(value)
}
