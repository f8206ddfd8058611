/** Runs tasks that must not overlap: one at a time for each key, in the order of the calls. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `work` after all earlier work for `key`. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work)
    const settled = turn.then(
      () => {},
      () => {},
    )
    this.#last.set(key, settled)
    try {
      return await turn
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key)
    }
  }
}
