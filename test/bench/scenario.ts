import type { Connection } from './connection.js'
import type { Contender } from './contender.js'

/** A workload for all contenders. */
export interface Scenario {
  readonly title: string
  readonly connections: number
  /** The size of one round, in `unit`s. */
  readonly amount: number
  readonly unit: 'MiB' | 'files' | 'requests'
  /** CPU seconds are reported per this many units. */
  readonly per: { readonly amount: number; readonly name: string }
  /** Work that each server does before the first round: a server that has run for a while can be slower. */
  readonly after?: readonly Scenario[]
  /** The part that is timed. */
  run(contender: Contender, connections: readonly Connection[]): Promise<void>
  /** Throws if a contender does not have what it was sent. The files may be removed afterward. */
  check(contender: Contender, thoroughly: boolean): Promise<void>
}
