import { BitsClientError } from './client-error.js'
import { backOff, type Delays, reactionTo } from './retry-policy.js'

export interface RetryLimits extends Delays {
  readonly retries: number
  readonly restarts: number
}

/** Another offset in an Ack is part of the protocol, so even `retries: 0` tolerates a few. */
const MIN_SETBACKS = 3

/**
 * Decides how long to retry. Any Ack that moves the offset forward ends a series of failures; a series of setbacks and
 * restarts ends only with an offset never reached before, otherwise a server could keep a client looping forever.
 */
export class RetryBudget {
  readonly #limits: RetryLimits
  #failures = 0
  #setbacks = 0
  #restarts = 0
  #highest: number

  constructor(limits: RetryLimits, offset: number) {
    this.#limits = limits
    this.#highest = offset
  }

  get failures(): number {
    return this.#failures
  }

  /** @returns milliseconds to wait after this error before the next attempt; `undefined` to give up. */
  delayAfter(error: BitsClientError): number | undefined {
    switch (reactionTo(error)) {
      case 'give-up':
        return undefined
      case 'smaller-fragment':
        return 0
      case 'restart':
        this.#restarts += 1
        if (this.#restarts > this.#limits.restarts) return undefined
        return this.#restarts === 1 ? 0 : backOff(this.#restarts - 1, this.#limits)
      case 'retry':
        this.#failures += 1
        return this.#failures > this.#limits.retries ? undefined : backOff(this.#failures, this.#limits)
    }
  }

  /**
   * An Ack moved the offset.
   *
   * @returns milliseconds to wait before the next fragment; none after progress and after a first setback.
   * @throws BitsClientError when there have been too many setbacks.
   */
  recordProgress(from: number, to: number): number {
    if (to > this.#highest) {
      this.#highest = to
      this.#setbacks = 0
      this.#restarts = 0
    }
    if (to > from) {
      this.#failures = 0
      return 0
    }
    this.#setbacks += 1
    if (this.#setbacks <= Math.max(this.#limits.retries, MIN_SETBACKS)) {
      return this.#setbacks === 1 ? 0 : backOff(this.#setbacks - 1, this.#limits)
    }
    const message = `The server made no progress ${this.#setbacks} times in a row.`
    throw new BitsClientError(message, { packet: 'Fragment', fatal: true })
  }

  /** Requests now go to another host, which has not failed yet. */
  reset(): void {
    this.#failures = 0
  }
}
