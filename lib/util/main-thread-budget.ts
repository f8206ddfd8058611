/** Milliseconds of one turn of the event loop. What does not fit is left to the thread pool. */
const MAX_PER_TURN = 2
/**
 * Milliseconds after the first call of a turn until the next calls are left to the thread pool: code that does much
 * between its calls, such as a loop over many sessions, would otherwise never let other requests have their turn.
 */
const MAX_TURN = 10
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
  readonly #now: () => number
  /** Milliseconds of this turn. */
  #spent = 0
  /** When the first call of this turn began; `undefined` before it. */
  #turnStart: number | undefined
  /** When slow calls will have taken one hundredth of the time. */
  #settledAt = 0

  /** @param now milliseconds; tests replace it. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Whether the next call may run on this thread. */
  get isLeft(): boolean {
    if (this.#spent >= MAX_PER_TURN) return false
    const now = this.#now()
    if (this.#turnStart !== undefined && now - this.#turnStart >= MAX_TURN) return false
    return this.#settledAt - now <= MAX_BURST * TIME_PER_SLOW_TIME
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
    if (this.#turnStart !== undefined) return
    this.#turnStart = start
    setImmediate(() => {
      this.#turnStart = undefined
      this.#spent = 0
    })
  }
}

/** The budget of this thread, which all storages and journals share. */
export const mainThreadBudget = new MainThreadBudget()
