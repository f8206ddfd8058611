import type { BitsUploadOptions, Logger, RequestSettings } from '../../types/options.js'
import type { SessionStore } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { bandwidth, hostId, notification } from '../upload-option-values.js'
import { checkEach, type OptionChecks } from '../validation/check-options.js'
import { describeValue } from '../validation/describe-value.js'
import {
  interval,
  isBoolean,
  isFunction,
  isInteger,
  isPath,
  type Names,
  type Needed,
  objectWith,
  orExpected,
  orInfinity,
  seconds,
} from '../validation/value-checks.js'

/** The smallest largest fragment: no Windows client sends smaller ones (MC-BUP note 10). */
const MIN_FRAGMENT_SIZE = 5 * 1024

const STORAGE_METHODS: Needed<StorageAdapter> = {
  has: true,
  begin: true,
  append: true,
  received: true,
  read: true,
  publish: true,
  discard: true,
}

const STORE_METHODS: Needed<SessionStore> = {
  create: true,
  get: true,
  update: true,
  delete: true,
  list: true,
  expired: true,
}

const LOGGER_METHODS: Needed<Logger> = { info: true, warn: true, error: true }

/** One check for each option. */
export const UPLOAD_OPTION_CHECKS: OptionChecks<BitsUploadOptions> = {
  storage: objectWith(STORAGE_METHODS, 'a FileStorage, a MemoryStorage or your own StorageAdapter'),
  directory: isPath,
  sessionStore: objectWith(
    STORE_METHODS,
    'a FileSessionStore, a MemorySessionStore or your own SessionStore',
  ),
  maxUploadSize: (value) => orInfinity(value, isInteger(value, 'bytes', 0)),
  maxFragmentSize: (value) => isInteger(value, 'bytes', MIN_FRAGMENT_SIZE),
  overwrite: isBoolean,
  sessionTimeout: seconds,
  maxSessionsPerUser: (value) => orInfinity(value, isInteger(value, 'sessions', 1)),
  maxBandwidth: bandwidth,
  enabled: (value) =>
    typeof value === 'boolean' ? undefined : orExpected(isFunction(value), 'or true or false'),
  hostId,
  hostIdFallbackTimeout: (value) => isInteger(value, 'seconds', 0),
  cleanupInterval: interval,
  authorize: isFunction,
  user: isFunction,
  onUpload: isFunction,
  notification,
  trustSessionId: isBoolean,
  perRequest: isFunction,
  logger: objectWith(LOGGER_METHODS, 'console, or a logger like it'),
  acceptPost: isBoolean,
  acceptBitsPost: isBoolean,
}

/** What may differ from request to request. */
const REQUEST_SETTINGS: Names<RequestSettings> = {
  storage: true,
  directory: true,
  sessionStore: true,
  maxUploadSize: true,
  maxFragmentSize: true,
  overwrite: true,
  enabled: true,
  maxSessionsPerUser: true,
  hostId: true,
  hostIdFallbackTimeout: true,
  onUpload: true,
  notification: true,
}

/**
 * Checks what `perRequest` answered as far as the options of the same names do not.
 *
 * @throws TypeError a sentence, as {@link checkOptions}.
 */
export function checkRequestSettings(settings: unknown): void {
  if (typeof settings !== 'object' || settings === null) {
    throw new TypeError(
      `bitsUpload(): perRequest answered ${describeValue(settings)}: give settings, or nothing.`,
    )
  }
  const other = Object.keys(settings).find(
    (name) => Object.hasOwn(UPLOAD_OPTION_CHECKS, name) && !Object.hasOwn(REQUEST_SETTINGS, name),
  )
  if (other !== undefined) {
    throw new TypeError(`bitsUpload(): perRequest answered ${other}, which is the same for all requests.`)
  }
  const given = (name: string) => Reflect.get(settings, name) !== undefined
  if (given('sessionStore') && !given('storage') && !given('directory')) {
    throw new TypeError('bitsUpload(): perRequest returned sessionStore: give its storage or directory, too.')
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
  checkEach({ name: 'bitsUpload()', checks: UPLOAD_OPTION_CHECKS, secret: ['notification'] }, options)
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
  if (options.hostIdFallbackTimeout !== undefined && options.hostId === undefined) {
    throw new TypeError('bitsUpload(): hostIdFallbackTimeout says when to give up hostId: give that, too.')
  }
}
