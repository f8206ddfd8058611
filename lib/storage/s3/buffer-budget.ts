import { BufferPool } from './buffer-pool.js'

interface Waiter {
  readonly bytes: number
  readonly proceed: () => void
}

/**
 * Bounds the bytes of all uploads that are in memory. Requests for memory are served in order. An upload that waits
 * must hold none, so that no two can wait for each other.
 */
export class BufferBudget {
  readonly max: number
  /** Source of buffers, within the free memory. */
  readonly pool = new BufferPool(() => this.max - this.#used)
  #used = 0
  readonly #waiting: Waiter[] = []
  readonly #holders = new Set<() => void>()

  constructor(max: number) {
    this.max = max
  }

  get used(): number {
    return this.#used
  }

  get isContended(): boolean {
    return this.#waiting.length > 0
  }

  /** Takes memory if some is free and no one is waiting for it. */
  tryTake(bytes: number): boolean {
    if (this.isContended || this.#used + bytes > this.max) return false
    this.#used += bytes
    return true
  }

  /**
   * Waits for memory. A request for more than the total gets the total.
   *
   * @returns the bytes taken, to be released later. Rejects with the signal's reason when it aborts.
   */
  async take(bytes: number, signal?: AbortSignal): Promise<number> {
    const wanted = Math.min(bytes, this.max)
    if (this.tryTake(wanted)) return wanted
    await new Promise<void>((resolve, reject) => {
      signal?.throwIfAborted()
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        this.#serve()
        reject(signal?.reason)
      }
      const waiter: Waiter = {
        bytes: wanted,
        proceed: () => {
          signal?.removeEventListener('abort', giveUp)
          resolve()
        },
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiter)
      this.#relieve()
    })
    return wanted
  }

  give(bytes: number): void {
    this.#used -= bytes
    this.#serve()
    if (this.isContended) this.#relieve()
  }

  /**
   * Registers memory that can be freed early, by writing what it holds. When others wait, the oldest is called first.
   *
   * @returns withdraws the registration.
   */
  holding(release: () => void): () => void {
    this.#holders.add(release)
    return () => void this.#holders.delete(release)
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#used + next.bytes > this.max) return
      this.#used += next.bytes
      this.#waiting.shift()
      next.proceed()
    }
  }

  #relieve(): void {
    const [oldest] = this.#holders
    if (!oldest) return
    this.#holders.delete(oldest)
    oldest()
  }
}
