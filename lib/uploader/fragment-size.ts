import { MIN_FRAGMENT_SIZE } from '../protocol/limits.js'

/** The size of the next fragment in bytes. */
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
   * @returns false if it cannot be smaller.
   */
  refused(length: number): boolean {
    if (length <= MIN_FRAGMENT_SIZE) return false
    this.#limit = halve(length)
    this.#current = this.#limit
    return true
  }

  /** A smaller fragment may get through a poor connection; many servers discard an interrupted one. */
  interrupted(): void {
    this.#current = Math.min(this.#current, halve(this.#current))
  }

  acknowledged(): void {
    this.#current = Math.min(this.#limit, this.#current * 2)
  }
}

const halve = (bytes: number): number => Math.max(MIN_FRAGMENT_SIZE, Math.floor(bytes / 2))
