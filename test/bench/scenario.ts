import type { Connection } from './connection.js'
import type { Contender } from './contender.js'

/** Some work that every contender is given. */
export interface Scenario {
  readonly title: string
  readonly connections: number
  /** How much one round is, in `unit`s. */
  readonly amount: number
  readonly unit: 'MiB' | 'files' | 'requests'
  /** CPU seconds are told per this many units. */
  readonly per: { readonly amount: number; readonly name: string }
  /** What each server does before the first round: one that has lived for a while can be slower. */
  readonly after?: readonly Scenario[]
  /** The timed part. */
  run(contender: Contender, connections: readonly Connection[]): Promise<void>
  /** Throws when a contender does not hold what it was sent; the files may be removed afterwards. */
  check(contender: Contender, thoroughly: boolean): Promise<void>
}
