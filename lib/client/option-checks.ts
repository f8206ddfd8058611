import { MAX_CLIENT_FRAGMENT_SIZE, MIN_FRAGMENT_SIZE } from '../protocol/limits.js'
import { type Check, checkEach, findUnknownKey, type OptionChecks } from '../validation/check-options.js'
import { describeValue } from '../validation/describe-value.js'
import {
  isBoolean,
  isFunction,
  isHashAlgorithm,
  isInteger,
  isPath,
  type Names,
  objectWith,
  orInfinity,
} from '../validation/value-checks.js'
import type { TlsOptions, UploadOptions } from './options.js'

/** Milliseconds: what fits Node's timers. */
const MAX_TIMER = 2 ** 31 - 1

const atMost =
  (unit: string, min: number, max: number): Check =>
  (value) =>
    isInteger(value, unit, min, max)

const unlimited =
  (unit: string): Check =>
  (value) =>
    orInfinity(value, isInteger(value, unit, 0))

const TLS: Names<TlsOptions> = {
  ca: true,
  cert: true,
  key: true,
  passphrase: true,
  pfx: true,
  ciphers: true,
  minVersion: true,
  maxVersion: true,
  rejectUnauthorized: true,
  checkServerIdentity: true,
  servername: true,
}

/** Types of the fields that come from the server: with others, Node would fail later. */
const STATE_FIELD_TYPES = { hostId: 'string', hostIdFallbackTimeout: 'number', replyUrl: 'string' } as const

/** One check for each option. */
const CLIENT_OPTION_CHECKS: OptionChecks<UploadOptions> = {
  fragmentSize: atMost('bytes', MIN_FRAGMENT_SIZE, MAX_CLIENT_FRAGMENT_SIZE),
  headers: (value) =>
    typeof value === 'object' && value !== null && !(Symbol.iterator in value)
      ? undefined
      : 'an object with strings as values',
  authenticate: isFunction,
  userAgent: (value) => (typeof value === 'string' ? undefined : 'a string'),
  agent: objectWith({ addRequest: true }, 'an Agent of node:http or node:https'),
  tls,
  signal: objectWith({ addEventListener: true, throwIfAborted: true }, 'an AbortSignal'),
  cancelOnAbort: isBoolean,
  followHostId: isBoolean,
  digest: isHashAlgorithm,
  resume: state,
  onProgress: isFunction,
  onState: isFunction,
  onFailure: isFunction,
  retries: unlimited('failures'),
  restarts: unlimited('restarts'),
  minRetryDelay: atMost('milliseconds', 0, MAX_TIMER),
  maxRetryDelay: atMost('milliseconds', 0, MAX_TIMER),
  sendTimeout: atMost('milliseconds', 1, MAX_TIMER),
  responseTimeout: atMost('milliseconds', 1, MAX_TIMER),
  replyTo: isPath,
  maxReplySize: unlimited('bytes'),
}

/** @throws TypeError that names the option, its value and what to pass instead. */
export function checkClientOptions(options: UploadOptions): void {
  const secret = ['headers', 'agent', 'tls', 'resume'] as const
  checkEach({ name: 'express-bits-upload/client', checks: CLIENT_OPTION_CHECKS, secret }, options)
}

function tls(value: unknown): string | undefined {
  const expected = 'an object, { ca } for example'
  if (typeof value !== 'object' || value === null) return expected
  const other = findUnknownKey(value, TLS)
  if (other === undefined) return undefined
  return `${expected}; there is no ${other}, there are ${Object.keys(TLS).join(', ')}`
}

function state(value: unknown): string | undefined {
  const expected = 'a state that onState received'
  if (typeof value !== 'object' || value === null) return expected
  const field = (name: string): unknown => Reflect.get(value, name)
  // A session id is a credential, so it is not shown.
  if (typeof field('sessionId') !== 'string' || field('sessionId') === '')
    return `${expected}; it has no sessionId`
  const size = isInteger(field('size'), 'bytes', 0)
  if (size !== undefined) return `${expected}; its size is ${describeValue(field('size'))}: ${size}`
  const offset = isInteger(field('offset'), 'bytes', 0, Number(field('size')))
  if (offset !== undefined) return `${expected}; its offset is ${describeValue(field('offset'))}: ${offset}`
  if (typeof field('modified') !== 'number')
    return `${expected}; its modified is ${describeValue(field('modified'))}: a time in milliseconds`
  const wrong = Object.entries(STATE_FIELD_TYPES).find(
    ([name, type]) => !['undefined', type].includes(typeof field(name)),
  )
  if (wrong === undefined) return undefined
  const [name, type] = wrong
  // The URL of a reply may also contain the id.
  const what = field(name) === null ? 'null' : `of type ${typeof field(name)}`
  return `${expected}; its ${name} is ${what}: a ${type}, or undefined`
}
