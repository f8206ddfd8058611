interface QueuedWork {
  readonly begin: () => void
  readonly fail: (reason: unknown) => void
}

/**
 * Limits the requests in progress. The SDK prepares a request at once, which then waits for a connection with some 50 KB
 * of memory; the end of many uploads at the same time would have thousands of them.
 */
export class RequestSlots {
  #free: number
  readonly #waiting = new Set<QueuedWork>()

  constructor(max: number) {
    this.#free = max
  }

  /** Runs `work` in its turn. Rejects with the signal's reason when it aborts before that. */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    let isOver = false
    const release = () => {
      if (isOver) return
      isOver = true
      this.#release()
    }
    // Aborted work that never ends must not keep its place.
    signal.addEventListener('abort', release, { once: true })
    try {
      return await work()
    } finally {
      signal.removeEventListener('abort', release)
      release()
    }
  }

  /** Ends the wait of all work that has not begun. */
  rejectWaiting(reason: unknown): void {
    for (const { fail } of this.#waiting) fail(reason)
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting)
        signal.removeEventListener('abort', giveUp)
      }
      const waiting: QueuedWork = {
        begin: () => {
          leave()
          resolve()
        },
        fail: (reason) => {
          leave()
          reject(reason)
        },
      }
      const giveUp = () => waiting.fail(signal.reason)
      if (signal.aborted) return giveUp()
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.add(waiting)
    })
  }

  #release(): void {
    const [next] = this.#waiting
    if (next) next.begin()
    else this.#free++
  }
}
