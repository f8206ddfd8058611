import type { Request } from 'express'
import type { BitsUploadEvents } from '../../types/events.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { TellApplication } from '../delivery/arrival.js'
import type { Deliveries } from '../delivery/deliver.js'
import type { SessionOwner, Sessions } from '../sessions/sessions.js'

/** One packet's request: who sent it, whither, and its body. */
export interface Exchange extends SessionOwner {
  readonly req: Request
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
  /** The application to be told of a file; `undefined` when there is nobody to tell. */
  readonly tellApplication: TellApplication | undefined
  readonly announce: Announce
  readonly overwrite: boolean
  /** Bytes. */
  readonly maxUploadSize: number
  /** Bytes. */
  readonly maxFragmentSize: number
}
