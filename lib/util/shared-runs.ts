interface Waiting {
  readonly work: () => Promise<void>
  readonly ended: Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/**
 * Runs work that callers can share, such as a flush to the disk: one run at a time for each key, and all calls that are
 * made during a run share the one that starts after it.
 */
export class SharedRuns {
  /** The keys with a run in progress, and the calls that wait for the next one. */
  readonly #waiting = new Map<string, Waiting | undefined>()

  /**
   * Resolves after a run that started no earlier than this call. All calls with one `key` must pass work of the same
   * effect: that of the first of them runs.
   *
   * If a run fails, the calls that wait for the next one fail with it: Linux reports a failed write to disk once, so
   * the next flush may succeed although it did not store what the first one failed to store.
   */
  run(key: string, work: () => Promise<void>): Promise<void> {
    if (!this.#waiting.has(key)) return this.#start(key, work)
    const waiting = this.#waiting.get(key) ?? newWaiting(work)
    this.#waiting.set(key, waiting)
    return waiting.ended
  }

  async #start(key: string, work: () => Promise<void>): Promise<void> {
    this.#waiting.set(key, undefined)
    try {
      await work()
    } catch (error) {
      const waiting = this.#waiting.get(key)
      this.#waiting.delete(key)
      waiting?.reject(error)
      throw error
    }
    const next = this.#waiting.get(key)
    if (next) this.#start(key, next.work).then(next.resolve, next.reject)
    else this.#waiting.delete(key)
  }
}

function newWaiting(work: () => Promise<void>): Waiting {
  let resolve = () => {}
  let reject: (reason: unknown) => void = () => {}
  const ended = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { work, ended, resolve, reject }
}
