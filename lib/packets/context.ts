import type { Request } from 'express'
import type { BitsUploadEvents } from '../../types/events.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { Deliveries } from '../delivery/deliver.js'
import type { SessionOwner, Sessions } from '../sessions/sessions.js'
import type { Entrance } from '../util/request-origin.js'
import type { Bandwidth } from './bandwidth.js'
import type { Limits } from './limits.js'

/** One packet's request, admitted: who sent it, whither, and its body. */
export interface Admission extends SessionOwner {
  readonly req: Request
  /** Key of the session that the packet names; `undefined` when it names none, or its id is none of ours. */
  readonly session: string | undefined
}

export interface Exchange extends Admission {
  readonly entrance: Entrance
}

/** Tells the application's listeners. */
export type Announce = <Name extends keyof BitsUploadEvents>(
  name: Name,
  ...args: BitsUploadEvents[Name]
) => void

/** What the packets' handlers work with: one for each set of options. */
export interface Service extends Limits {
  readonly storage: StorageAdapter
  readonly sessions: Sessions
  readonly deliveries: Deliveries
  readonly bandwidth: Bandwidth
  readonly announce: Announce
}
