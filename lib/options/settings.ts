import type { Request } from 'express'
import type { BitsUploadOptions, Logger } from '../../types/options.js'
import type { SessionStore } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { DeliverToApplication } from '../delivery/arrival.js'
import { callOnUpload } from '../delivery/call-on-upload.js'
import { notifyApplication } from '../delivery/notify-application.js'
import { safeLogger } from '../logging/safe-logger.js'
import type { RequestLimits } from '../packets/limits.js'
import { FileSessionStore } from '../session-stores/file-session-store.js'
import { MemorySessionStore } from '../session-stores/memory-session-store.js'
import { FileStorage } from '../storage/file/file-storage.js'
import { checkOptions, checkUser } from './checks.js'

/** Options with their defaults filled in. Units as in `BitsUploadOptions`. */
export interface ServerSettings extends RequestLimits {
  readonly storage: StorageAdapter
  readonly sessionStore: SessionStore
  readonly sessionTimeout: number
  readonly cleanupInterval: number
  readonly bandwidthLimits: { readonly perSession: number; readonly total: number }
  readonly authorize: NonNullable<BitsUploadOptions['authorize']>
  /** Rejects with a TypeError when the option answers what is no user. */
  readonly user: (req: Request) => Promise<string | undefined>
  readonly trustSessionId: boolean
  readonly logger: Logger
  readonly acceptPost: boolean
  readonly acceptBitsPost: boolean
}

const NO_LIMIT = Number.POSITIVE_INFINITY

const QUIET_CONSOLE: Logger = {
  info: () => {},
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
}

/**
 * Checks options and fills in defaults.
 *
 * @throws TypeError a sentence that names the option, its value and what to give instead.
 */
export function readOptions(options: BitsUploadOptions): ServerSettings {
  checkOptions(options)
  const storage = options.storage ?? new FileStorage({ directory: options.directory ?? './uploads' })
  const { maxBandwidth } = options
  const bandwidth = typeof maxBandwidth === 'number' ? { total: maxBandwidth } : (maxBandwidth ?? {})
  const settings = {
    ...readLimits(options),
    storage,
    sessionStore: options.sessionStore ?? sessionsBeside(storage),
    sessionTimeout: options.sessionTimeout ?? 14 * 24 * 60 * 60,
    cleanupInterval: options.cleanupInterval ?? 12 * 60 * 60,
    bandwidthLimits: { perSession: bandwidth.perSession ?? NO_LIMIT, total: bandwidth.total ?? NO_LIMIT },
    authorize: options.authorize?.bind(options) ?? (() => true),
    user: async (req: Request) => checkUser(await options.user?.(req)),
    trustSessionId: options.trustSessionId ?? false,
    logger: safeLogger(options.logger ?? QUIET_CONSOLE),
    acceptPost: options.acceptPost ?? false,
    acceptBitsPost: options.acceptBitsPost ?? true,
  }
  refuseUnableStorage(options, storage)
  return settings
}

/** The settings that may differ from request to request. */
export function readLimits(options: BitsUploadOptions): RequestLimits {
  return {
    maxUploadSize: options.maxUploadSize ?? Number.MAX_SAFE_INTEGER,
    maxFragmentSize: options.maxFragmentSize ?? 16 * 1024 * 1024,
    overwrite: options.overwrite ?? false,
    enabled: options.enabled ?? true,
    maxSessions: {
      named: options.maxSessionsPerUser ?? 50,
      unnamed: options.maxSessionsPerUser ?? NO_LIMIT,
    },
    hostId: options.hostId,
    hostIdFallbackTimeout: options.hostIdFallbackTimeout ?? 24 * 60 * 60,
    deliverToApplication: applicationOf(options),
  }
}

function applicationOf({ onUpload, notification }: BitsUploadOptions): DeliverToApplication | undefined {
  if (onUpload) return callOnUpload(onUpload)
  if (!notification) return undefined
  const { type, url, timeout = 300, headers = {} } = notification
  return notifyApplication({ type, url, timeout, headers })
}

/** An application that is told paths needs a storage that has some. @throws TypeError */
export function refuseUnableStorage({ notification }: BitsUploadOptions, storage: StorageAdapter): void {
  if (notification?.type !== 'by-reference' || (storage.path && storage.replyPath)) return
  throw new TypeError(
    'bitsUpload(): notification by-reference tells the application the paths of files, which the storage does not ' +
      "have (path(), replyPath()): use a FileStorage, or type: 'by-value'.",
  )
}

const sessionsBeside = (storage: StorageAdapter): SessionStore =>
  storage instanceof FileStorage
    ? new FileSessionStore({ directory: storage.directory, durable: storage.durability === 'fragment' })
    : new MemorySessionStore()
