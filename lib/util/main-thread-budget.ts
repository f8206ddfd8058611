/** Milliseconds of one turn of the event loop. What does not fit is left to the thread pool. */
const MAX_PER_TURN = 2
/** Milliseconds after which a call counts as slow. */
const SLOW_CALL = 5
/** Milliseconds without calls after a slow one, and the maximum if slow ones recur. */
const FIRST_PAUSE = 5_000
const MAX_PAUSE = 5 * 60_000

/**
 * Limits the time that synchronous file system calls take from other requests: a few milliseconds of each turn of the
 * event loop, and nothing for some time after a call that was slow because the disk is busy.
 */
export class MainThreadBudget {
  /** Whether anything may run at all. */
  isEnabled: boolean
  readonly #now: () => number
  #spent = 0
  #isTurnOver = true
  #pausedUntil = 0
  #pause = FIRST_PAUSE

  /** @param options `isEnabled`: default false. `now`: milliseconds; tests replace it. */
  constructor({ isEnabled = false, now = () => performance.now() } = {}) {
    this.isEnabled = isEnabled
    this.#now = now
  }

  /** Whether the next call may run on this thread. */
  get isLeft(): boolean {
    return this.isEnabled && this.#spent < MAX_PER_TURN && this.#now() >= this.#pausedUntil
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
    this.#spent += end - start
    if (this.#isTurnOver) {
      this.#isTurnOver = false
      setImmediate(() => {
        this.#isTurnOver = true
        this.#spent = 0
      })
    }
    if (end - start < SLOW_CALL) return
    // The longer the disk stays busy, the more rarely it is tried.
    const wasLongAgo = start - this.#pausedUntil > 2 * this.#pause
    this.#pause = wasLongAgo ? FIRST_PAUSE : Math.min(2 * this.#pause, MAX_PAUSE)
    this.#pausedUntil = end + this.#pause
  }
}
