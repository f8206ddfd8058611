import type { ThroughputView } from './throughput.js'
import type { EndedView, SessionView } from './views.js'

/** What all viewers see at a given moment. */
export interface Frame {
  /** Milliseconds since 1970, by the clock of the server. */
  readonly now: number
  readonly totals: Totals
  /** Active sessions, latest first. */
  readonly sessions: readonly SessionView[]
  /** Finished and failed uploads, latest first. */
  readonly ended: readonly EndedView[]
  readonly throughput: ThroughputView
  /** Whether sessions can be cancelled from the page. */
  readonly actions: boolean
}

export interface Totals {
  readonly active: number
  readonly waiting: number
  /** Bytes per second. */
  readonly rate: number
  /** Uploads published since midnight, by this process. */
  readonly files: number
  /** Their bytes. */
  readonly bytes: number
  /** Some or all sessions cannot be listed at the moment. */
  readonly unlisted: boolean
}
