/** Windows clients send no smaller fragment than 5 KB, the last one of a file excepted, nor a larger one than 13 MB (MC-BUP <16>). */
export const MIN_FRAGMENT = 5 * 1024
export const MAX_FRAGMENT = 13 * 1024 * 1024

/** How many bytes the next fragment takes. */
export class FragmentSize {
  #limit: number
  #current: number

  constructor(limit: number) {
    this.#limit = limit
    this.#current = limit
  }

  get bytes(): number {
    return this.#current
  }

  /**
   * 413: no fragment will be as large as the refused one again (MC-BUP 3.1.5.1.7).
   *
   * @returns false when it can be no smaller.
   */
  refused(length: number): boolean {
    if (length <= MIN_FRAGMENT) return false
    this.#limit = halve(length)
    this.#current = this.#limit
    return true
  }

  /** A broken line may carry a smaller fragment; many servers keep nothing of one that was cut. */
  interrupted(): void {
    this.#current = Math.min(this.#current, halve(this.#current))
  }

  acknowledged(): void {
    this.#current = Math.min(this.#limit, this.#current * 2)
  }
}

const halve = (bytes: number): number => Math.max(MIN_FRAGMENT, Math.floor(bytes / 2))
