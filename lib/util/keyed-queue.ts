/** Runs tasks that must not overlap: one at a time for each key, in the order of the calls. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `work` after all earlier work for `key`; at once if there is none. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const last = this.#last.get(key)
    const turn = last ? last.then(work) : work()
    const end = () => {
      if (this.#last.get(key) === settled) this.#last.delete(key)
    }
    const settled: Promise<void> = turn.then(end, end)
    this.#last.set(key, settled)
    return turn
  }
}
