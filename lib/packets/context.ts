import type { Request } from 'express'
import type { BitsUploadEvents } from '../../types/events.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { Deliveries } from '../delivery/deliver.js'
import type { SessionOwner, Sessions } from '../sessions/sessions.js'
import type { RequestOrigin } from '../util/request-origin.js'
import type { Bandwidth } from './bandwidth.js'
import type { RequestLimits } from './limits.js'

/** One packet's request, admitted: who sent it, whither, and its body. */
export interface RequestContext extends SessionOwner {
  readonly req: Request
  /** Key of the session that the packet names; `undefined` when it names none, or its id is none of ours. */
  readonly uploadId: string | undefined
}

export interface PacketContext extends RequestContext {
  readonly origin: RequestOrigin
}

/** Tells the application's listeners. */
export type Emit = <Name extends keyof BitsUploadEvents>(name: Name, ...args: BitsUploadEvents[Name]) => void

/** What the packets' handlers work with: one for each set of options. */
export interface Service extends RequestLimits {
  readonly storage: StorageAdapter
  readonly sessions: Sessions
  readonly deliveries: Deliveries
  readonly bandwidth: Bandwidth
  readonly emit: Emit
}
