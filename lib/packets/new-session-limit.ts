import { TokenBucket } from 'limiter'
import type { BitsUploadOptions } from '../../types/options.js'
import { BitsError } from '../protocol/bits-error.js'

/**
 * Limits how many sessions this process creates. Refusing one more costs neither the session store nor the storage
 * anything, so that a flood of new sessions leaves the running uploads alone.
 */
export class NewSessionLimit {
  readonly #perSecond: TokenBucket | undefined
  readonly #rate: number
  readonly #concurrent: number
  #running = 0

  /** @param limits the option `maxNewSessions`. */
  constructor({ perSecond, concurrent }: NonNullable<BitsUploadOptions['maxNewSessions']> = {}) {
    this.#rate = perSecond ?? Number.POSITIVE_INFINITY
    this.#concurrent = concurrent ?? Number.POSITIVE_INFINITY
    if (this.#rate > Number.MAX_SAFE_INTEGER) return
    this.#perSecond = new TokenBucket({
      bucketSize: this.#rate,
      tokensPerInterval: this.#rate,
      interval: 'second',
    })
    // Starts with a full bucket, so that the first second is like all others.
    this.#perSecond.content = this.#rate
  }

  /**
   * Creates a session with `create`, unless there are too many.
   *
   * @throws BitsError `too-many-new-sessions`, and what `create` throws.
   */
  async run<T>(create: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#concurrent) {
      throw new BitsError(
        'too-many-new-sessions',
        `${this.#running} sessions are being created; maxNewSessions.concurrent is ${this.#concurrent}.`,
      )
    }
    if (this.#perSecond?.tryRemoveTokens(1) === false) {
      throw new BitsError(
        'too-many-new-sessions',
        `More than ${this.#rate} sessions would be created in a second (maxNewSessions.perSecond).`,
      )
    }
    this.#running += 1
    try {
      return await create()
    } finally {
      this.#running -= 1
    }
  }
}
