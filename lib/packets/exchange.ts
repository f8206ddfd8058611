import type { IncomingMessage } from 'node:http'
import type { BitsUploadEvents } from '../../types/events.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { Deliveries } from '../delivery/deliver.js'
import type { SessionOwner, Sessions } from '../sessions/sessions.js'

/** One packet's request: who sent it, whither, and its body. */
export interface Exchange extends SessionOwner {
  readonly req: IncomingMessage
}

/** Tells the application's listeners. */
export type Announce = <Name extends keyof BitsUploadEvents>(
  name: Name,
  ...args: BitsUploadEvents[Name]
) => void

/** What the packets' handlers work with: one for each set of options. */
export interface Service {
  readonly storage: StorageAdapter
  readonly sessions: Sessions
  readonly deliveries: Deliveries
  readonly announce: Announce
  readonly overwrite: boolean
  /** Bytes. */
  readonly maxUploadSize: number
  /** Bytes. */
  readonly maxFragmentSize: number
}
