import type { BitsUploadOptions, Logger } from '../types/options.js'
import type { SessionStore } from '../types/session.js'
import type { StorageAdapter } from '../types/storage.js'
import { FileSessionStore } from './sessions/file-session-store.js'
import { MemorySessionStore } from './sessions/memory-session-store.js'
import { FileStorage } from './storage/file-storage.js'

/** Options with their defaults filled in. */
export interface Settings {
  readonly storage: StorageAdapter
  readonly sessions: SessionStore
  readonly maxUploadSize: number
  readonly maxFragmentSize: number
  readonly overwrite: boolean
  /** Seconds. */
  readonly sessionTimeout: number
  /** Seconds. */
  readonly cleanupInterval: number
  readonly authorize: NonNullable<BitsUploadOptions['authorize']>
  readonly user: NonNullable<BitsUploadOptions['user']>
  readonly logger: Logger
  readonly acceptPost: boolean
  readonly acceptBitsPost: boolean
}

/** The smallest largest fragment: no Windows client sends smaller ones (MC-BUP note 10). */
const MIN_FRAGMENT_SIZE = 5 * 1024
/** Seconds: what fits Node's timers. */
const MAX_INTERVAL = 2 ** 31 / 1000 - 1

const STORAGE_METHODS = ['has', 'begin', 'append', 'received', 'read', 'publish', 'discard'] as const
const STORE_METHODS = ['create', 'get', 'update', 'delete', 'list', 'expired'] as const

const QUIET_CONSOLE: Logger = {
  info: () => {},
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
}

type Checks = { [Name in keyof Required<BitsUploadOptions>]: (value: unknown) => string | undefined }

/** For each option what a wrong value should be instead; `undefined` when it is right. */
const CHECKS: Checks = {
  storage: (value) =>
    objectWith(value, STORAGE_METHODS, 'a FileStorage, a MemoryStorage or your own StorageAdapter'),
  directory: (value) => (typeof value === 'string' && value !== '' ? undefined : 'a path'),
  sessions: (value) =>
    objectWith(value, STORE_METHODS, 'a FileSessionStore, a MemorySessionStore or your own SessionStore'),
  maxUploadSize: (value) => wholeNumber(value, 'bytes', 0),
  maxFragmentSize: (value) => wholeNumber(value, 'bytes', MIN_FRAGMENT_SIZE),
  overwrite: trueOrFalse,
  sessionTimeout: seconds,
  cleanupInterval: (value) =>
    seconds(value) ?? (Number(value) > MAX_INTERVAL ? 'at most 24 days' : undefined),
  authorize: aFunction,
  user: aFunction,
  logger: (value) => objectWith(value, ['info', 'warn', 'error'], 'console, or a logger like it'),
  acceptPost: trueOrFalse,
  acceptBitsPost: trueOrFalse,
}

/**
 * Checks options and fills in defaults.
 *
 * @throws TypeError a sentence that names the option, its value and what to give instead.
 */
export function readOptions(options: BitsUploadOptions): Settings {
  refuseWrong(options)
  const storage = options.storage ?? new FileStorage({ directory: options.directory ?? './uploads' })
  return {
    storage,
    sessions: options.sessions ?? sessionsBeside(storage),
    maxUploadSize: options.maxUploadSize ?? Number.MAX_SAFE_INTEGER,
    maxFragmentSize: options.maxFragmentSize ?? 16 * 1024 * 1024,
    overwrite: options.overwrite ?? false,
    sessionTimeout: options.sessionTimeout ?? 14 * 24 * 60 * 60,
    cleanupInterval: options.cleanupInterval ?? 12 * 60 * 60,
    authorize: options.authorize?.bind(options) ?? (() => true),
    user: options.user?.bind(options) ?? (() => undefined),
    logger: options.logger ?? QUIET_CONSOLE,
    acceptPost: options.acceptPost ?? false,
    acceptBitsPost: options.acceptBitsPost ?? true,
  }
}

const sessionsBeside = (storage: StorageAdapter): SessionStore =>
  storage instanceof FileStorage
    ? new FileSessionStore({ directory: storage.directory })
    : new MemorySessionStore()

function refuseWrong(options: BitsUploadOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`bitsUpload(): its options are ${String(options)}: give an object, or nothing.`)
  }
  for (const [name, value] of Object.entries(options)) {
    const check = new Map(Object.entries(CHECKS)).get(name)
    if (!check) throw unknownOption(name)
    const wanted = value === undefined ? undefined : check(value)
    if (wanted) throw new TypeError(`bitsUpload(): the option ${name} is ${shown(value)}: give ${wanted}.`)
  }
  if (options.storage && options.directory) {
    throw new TypeError(
      'bitsUpload(): directory is short for a FileStorage: give storage or directory, not both.',
    )
  }
}

function unknownOption(name: string): TypeError {
  const names = Object.keys(CHECKS)
  const meant = names.find((known) => known.toLowerCase() === name.toLowerCase())
  const hint = meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}.`
  return new TypeError(`bitsUpload(): there is no option ${JSON.stringify(name)}: ${hint}`)
}

function objectWith(value: unknown, methods: readonly string[], wanted: string): string | undefined {
  if (typeof value !== 'object' || value === null) return wanted
  const missing = methods.filter((name) => typeof Reflect.get(value, name) !== 'function')
  return missing.length === 0
    ? undefined
    : `${wanted}; it lacks ${missing.map((name) => `${name}()`).join(', ')}`
}

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
  return typeof value === 'object' && value !== null
    ? (value.constructor?.name ?? 'an object')
    : String(value)
}
