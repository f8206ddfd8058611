/** Milliseconds of one turn of the event loop. What does not fit is left to the thread pool. */
const MAX_PER_TURN = 2
/** Milliseconds after which a call counts as slow: it waited for the disk, or for a processor. */
const SLOW_CALL = 5
/** Slow calls may take one hundredth of the time. */
const TIME_PER_SLOW_TIME = 100
/** Milliseconds of slow calls that may come in a row. */
const MAX_BURST = 50

/**
 * Limits the time that synchronous file system calls take from other requests: two milliseconds of each turn of the
 * event loop, and one percent of all time for calls that are slow because the disk is busy.
 */
export class MainThreadBudget {
  /** Whether anything may run at all. */
  isEnabled: boolean
  readonly #now: () => number
  /** Milliseconds of this turn. */
  #spent = 0
  #isTurnCounted = false
  /** When slow calls will have taken one hundredth of the time. */
  #settledAt = 0

  /** @param options `isEnabled`: default false. `now`: milliseconds; tests replace it. */
  constructor({ isEnabled = false, now = () => performance.now() } = {}) {
    this.isEnabled = isEnabled
    this.#now = now
  }

  /** Whether the next call may run on this thread. */
  get isLeft(): boolean {
    if (!this.isEnabled || this.#spent >= MAX_PER_TURN) return false
    return this.#settledAt - this.#now() <= MAX_BURST * TIME_PER_SLOW_TIME
  }

  /** Runs a synchronous call, and counts its time. */
  run<T>(call: () => T): T {
    const start = this.#now()
    try {
      return call()
    } finally {
      this.#count(start, this.#now())
    }
  }

  #count(start: number, end: number): void {
    const took = end - start
    this.#spent += took
    if (took >= SLOW_CALL) this.#settledAt = Math.max(this.#settledAt, end) + took * TIME_PER_SLOW_TIME
    if (this.#isTurnCounted) return
    this.#isTurnCounted = true
    setImmediate(() => {
      this.#isTurnCounted = false
      this.#spent = 0
    })
  }
}
