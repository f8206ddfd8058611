import type { BitsUploadOptions, Logger, RequestSettings } from '../../types/options.js'
import type { SessionStore } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { QUIET_CONSOLE } from '../logging/quiet-console.js'
import { DEFAULT_HOST_ID_FALLBACK_TIMEOUT, MIN_FRAGMENT_SIZE } from '../protocol/limits.js'
import type { Check } from '../validation/check-options.js'
import {
  interval,
  isBoolean,
  isFunction,
  isHashAlgorithm,
  isInteger,
  isPath,
  type Needed,
  objectWith,
  orExpected,
  orInfinity,
  seconds,
} from '../validation/value-checks.js'
import { isBandwidth } from './bandwidth.js'
import { isHostId } from './host-id.js'
import { isNewSessions } from './new-sessions.js'
import { isNotification } from './notification.js'

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

/** Everything about an option. */
type OptionRow<Name extends keyof BitsUploadOptions> = {
  readonly check: Check
  /** Absent if the option has no default, or one that depends on others. */
  readonly default?: Exclude<BitsUploadOptions[Name], undefined>
} & (Name extends keyof RequestSettings ? { readonly perRequest: true } : { readonly perRequest?: never })

type OptionTable = { readonly [Name in keyof Required<BitsUploadOptions>]: OptionRow<Name> }

/** The options of `bitsUpload()`, one row each. `perRequest` marks those that the option `perRequest` may return. */
export const UPLOAD_OPTIONS = {
  storage: {
    check: objectWith(STORAGE_METHODS, 'a FileStorage, a MemoryStorage or your own StorageAdapter'),
    perRequest: true,
  },
  directory: { check: isPath, perRequest: true },
  sessionStore: {
    check: objectWith(STORE_METHODS, 'a FileSessionStore, a MemorySessionStore or your own SessionStore'),
    perRequest: true,
  },
  maxUploadSize: {
    check: (value) => orInfinity(value, isInteger(value, 'bytes', 0)),
    default: Number.MAX_SAFE_INTEGER,
    perRequest: true,
  },
  maxFragmentSize: {
    check: (value) => isInteger(value, 'bytes', MIN_FRAGMENT_SIZE),
    default: 16 * 1024 * 1024,
    perRequest: true,
  },
  overwrite: { check: isBoolean, default: false, perRequest: true },
  sessionTimeout: { check: seconds, default: 14 * 24 * 60 * 60 },
  maxSessionsPerUser: {
    check: (value) => orInfinity(value, isInteger(value, 'sessions', 1)),
    perRequest: true,
  },
  maxNewSessions: { check: isNewSessions },
  maxBandwidth: { check: isBandwidth },
  enabled: {
    check: (value) =>
      typeof value === 'boolean' ? undefined : orExpected(isFunction(value), 'or true or false'),
    default: true,
    perRequest: true,
  },
  hostId: { check: isHostId, perRequest: true },
  hostIdFallbackTimeout: {
    check: (value) => isInteger(value, 'seconds', 0),
    default: DEFAULT_HOST_ID_FALLBACK_TIMEOUT,
    perRequest: true,
  },
  cleanupInterval: { check: interval, default: 12 * 60 * 60 },
  authorize: { check: isFunction, default: () => true },
  user: { check: isFunction, default: () => undefined },
  onUpload: { check: isFunction, perRequest: true },
  notification: { check: isNotification, perRequest: true },
  hash: { check: isHashAlgorithm, perRequest: true },
  trustSessionId: { check: isBoolean, default: false },
  perRequest: { check: isFunction },
  logger: { check: objectWith(LOGGER_METHODS, 'console, or a logger like it'), default: QUIET_CONSOLE },
  acceptPost: { check: isBoolean, default: false },
  acceptBitsPost: { check: isBoolean, default: true },
} as const satisfies OptionTable

type WithDefault = {
  [Name in keyof OptionTable]: (typeof UPLOAD_OPTIONS)[Name] extends { default: unknown } ? Name : never
}[keyof OptionTable]

/** Options with their defaults. Units as in `BitsUploadOptions`. */
export type ServerSettings = Readonly<
  Omit<BitsUploadOptions, WithDefault> & {
    [Name in WithDefault]: Exclude<BitsUploadOptions[Name], undefined>
  }
>
