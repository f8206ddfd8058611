/** Lets a limited number of tasks run at a time; the others wait in order. */
export class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Waits for a free slot, which {@link leave} gives back. Rejects with the reason of the signal when it aborts. */
  async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(start)
        signal.removeEventListener('abort', abort)
      }
      const start = () => {
        end()
        resolve()
      }
      const abort = () => {
        end()
        reject(signal.reason)
      }
      this.#waiting.add(start)
      signal.addEventListener('abort', abort)
    })
  }

  leave(): void {
    const [next] = this.#waiting
    if (next) next()
    else this.#free++
  }
}
