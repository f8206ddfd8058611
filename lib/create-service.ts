import type { SessionStore } from '../types/session.js'
import type { StorageAdapter } from '../types/storage.js'
import { callOnUpload } from './delivery/call-on-upload.js'
import type { DeliverToApplication } from './delivery/completed-upload.js'
import { Deliveries } from './delivery/deliver.js'
import { notifyApplication } from './delivery/notify-application.js'
import { traceDelivery } from './delivery/trace-delivery.js'
import { UploadHashes } from './delivery/upload-hashes.js'
import type { Emit } from './events.js'
import type { ServerSettings } from './options/upload-options.js'
import type { Bandwidth } from './packets/bandwidth.js'
import type { UploadService } from './packets/context.js'
import type { NewSessionLimit } from './packets/new-session-limit.js'
import { FileSessionStore } from './session-stores/file-session-store.js'
import { MemorySessionStore } from './session-stores/memory-session-store.js'
import { Housekeeping } from './sessions/housekeeping.js'
import { Sessions } from './sessions/sessions.js'
import { FileStorage } from './storage/file/file-storage.js'
import { watchAdapter } from './util/adapter-failure.js'

/** Shared by all services of one `bitsUpload()`. */
interface Shared {
  /** The `bitsUpload()`, as tracing channels name it. */
  readonly bits: object
  readonly emit: Emit
  readonly bandwidth: Bandwidth
  readonly newSessions: NewSessionLimit
}

/**
 * Assembles the service, opens the storage, and starts the clean-up. Apart from `index.ts`, this is the only module
 * that names storages and session stores.
 *
 * @param clear uploads are disabled for everyone: remove the sessions of earlier runs.
 */
export function createService(settings: ServerSettings, shared: Shared, clear: boolean): UploadService {
  const adapter = settings.storage ?? new FileStorage({ directory: settings.directory ?? './uploads' })
  const storage = watchAdapter('storage', adapter, shared.bits)
  const sessions = new Sessions({
    store: watchAdapter('session store', settings.sessionStore ?? defaultStore(adapter), shared.bits),
    timeout: settings.sessionTimeout * 1000,
    now: Date.now,
  })
  const housekeeping = new Housekeeping({
    sessions,
    storage,
    interval: settings.cleanupInterval * 1000,
    clear,
    onExpired: (session) => shared.emit('expired', session),
    onError: (error) => shared.emit('error', error, {}),
  })
  return {
    ...shared,
    settings,
    storage,
    sessions,
    housekeeping,
    deliveries: new Deliveries(),
    hashes: new UploadHashes(),
    deliverToApplication: createDelivery(settings, shared.bits),
  }
}

/** The application that uploads are delivered to; `undefined` if there is none. */
export function createDelivery(
  { onUpload, notification }: ServerSettings,
  bits: object,
): DeliverToApplication | undefined {
  if (onUpload) return traceDelivery({ bits, operation: 'onUpload' }, callOnUpload(onUpload))
  if (!notification) return undefined
  const { type, url, timeout = 240, headers = {} } = notification
  return traceDelivery(
    { bits, operation: 'notification' },
    notifyApplication({ type, url, timeout, headers }),
  )
}

/** Identifies a storage: two `FileStorage` objects for one directory are one. */
export const storageIdentity = (storage: StorageAdapter): object | string =>
  storage instanceof FileStorage ? storage.directory : storage

const defaultStore = (storage: StorageAdapter): SessionStore =>
  storage instanceof FileStorage
    ? new FileSessionStore({ directory: storage.directory, durable: storage.durability === 'fragment' })
    : new MemorySessionStore()
