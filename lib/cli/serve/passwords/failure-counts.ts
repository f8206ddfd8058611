/** Half-life of a count in milliseconds. */
const HALF_LIFE = 60_000

/** Maximum number of keys; beyond that, those that failed longest ago are forgotten. */
const MAX_KEYS = 10_000

/** Counts below this are dropped. */
const NEGLIGIBLE = 0.1

interface Count {
  readonly value: number
  readonly at: number
}

/** Recent failures by key. Counts fade, and memory is bounded. */
export class FailureCounts {
  readonly #counts = new Map<string, Count>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  of(key: string): number {
    const count = this.#counts.get(key)
    if (!count) return 0
    const value = count.value * 0.5 ** ((this.#now() - count.at) / HALF_LIFE)
    return value < NEGLIGIBLE ? 0 : value
  }

  add(key: string): void {
    const value = this.of(key) + 1
    // Moves the key to the end, so that the first key is the one to forget.
    this.#counts.delete(key)
    this.#counts.set(key, { value, at: this.#now() })
    if (this.#counts.size <= MAX_KEYS) return
    const [oldest] = this.#counts.keys()
    if (oldest !== undefined) this.#counts.delete(oldest)
  }

  clear(key: string): void {
    this.#counts.delete(key)
  }
}
