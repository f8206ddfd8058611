import type { Request } from 'express'
import type { Awaitable } from '../../types/awaitable.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { DeliverToApplication } from '../delivery/completed-upload.js'
import type { Deliveries } from '../delivery/deliver.js'
import type { UploadHashes } from '../delivery/upload-hashes.js'
import type { Emit } from '../events.js'
import type { ServerSettings } from '../options/upload-options.js'
import type { Housekeeping } from '../sessions/housekeeping.js'
import type { SessionOwner, Sessions } from '../sessions/sessions.js'
import type { RequestOrigin } from '../util/request-origin.js'
import type { Bandwidth } from './bandwidth.js'
import type { NewSessionLimit } from './new-session-limit.js'

/** An authorized request: its sender, destination and session. */
export interface RequestContext extends SessionOwner {
  readonly req: Request
  /** Upload id of the session that the packet names; `undefined` when it names none, or its id is malformed. */
  readonly uploadId: string | undefined
}

/** An authorized packet, with the facts about its connection that the delivery needs. */
export interface PacketContext extends RequestContext {
  readonly origin: RequestOrigin
}

/** The services of one `bitsUpload()`. */
export interface UploadServices {
  /** The service of the middleware's own options. */
  readonly base: UploadService
  /** `bits.close()` was called. */
  readonly closed: boolean
  /** The service for a request, according to the option `perRequest`. */
  of(req: Request): Awaitable<UploadService>
}

/** Handles the packets of one set of options. */
export interface UploadService {
  readonly settings: ServerSettings
  readonly storage: StorageAdapter
  readonly sessions: Sessions
  readonly deliveries: Deliveries
  readonly hashes: UploadHashes
  /** `undefined` when no application is to be notified. */
  readonly deliverToApplication: DeliverToApplication | undefined
  readonly bandwidth: Bandwidth
  readonly newSessions: NewSessionLimit
  readonly housekeeping: Housekeeping
  readonly emit: Emit
}
