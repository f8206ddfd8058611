import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { LockOptions, ReleaseLock } from '../../types/session.js'
import { withDeadline } from '../util/deadline.js'

/** Milliseconds for which a request to release a lock is valid. A waiting process renews it with each attempt. */
export const WISH_LIFETIME = 1_500
/**
 * Milliseconds between two renewals of a lease. The holder learns from the response whether another process wants it.
 */
const RENEWAL_INTERVAL = 500
/**
 * Milliseconds between two attempts to acquire a lock that is held: the delay grows from the first value to the second.
 */
const FIRST_RETRY = 20
const LAST_RETRY = 250

/** Where leases are kept. A lease that is not renewed expires, by the clock of the database. */
export interface LeaseTable {
  /** @param wish ask the current holder, if any, to release it. @returns whether the lease is the holder's now. */
  acquire(key: string, holder: string, wish: boolean): Promise<boolean>
  renew(key: string, holder: string): Promise<'held' | 'wanted' | 'lost'>
  /** Does nothing if the lease is not the holder's. */
  release(key: string, holder: string): Promise<void>
}

/** The locks of one process: leases in a database, renewed until they are released. */
export class LeaseLocks {
  readonly #table: LeaseTable
  readonly #lease: number
  readonly #held = new Map<string, HeldLease>()

  /** @param lease milliseconds after which a lease expires that is not renewed. */
  constructor(table: LeaseTable, lease: number) {
    this.#table = table
    this.#lease = lease
  }

  /** Like `SessionStore.lock`. */
  async acquire(key: string, options: LockOptions): Promise<ReleaseLock | undefined> {
    const { timeout, signal } = options
    const deadline = performance.now() + timeout
    const holder = randomUUID()
    for (let pause = FIRST_RETRY; ; pause = Math.min(LAST_RETRY, pause * 1.5)) {
      signal?.throwIfAborted()
      const askedAt = performance.now()
      if (await this.#table.acquire(key, holder, timeout > 0))
        return this.#hold(key, holder, askedAt, options)
      const left = deadline - performance.now()
      if (left <= 0) return undefined
      // Random, so that waiting processes do not all try at the same moment.
      await delay(Math.min(left, pause * (0.5 + Math.random() / 2)), undefined, signal ? { signal } : {})
    }
  }

  /**
   * The holder that a change of the session must name, so that the database refuses it once the lock was lost to
   * another one; `undefined` when this process has not locked the session.
   */
  holderOf(key: string): string | undefined {
    return this.#held.get(key)?.holder
  }

  /** Stops renewing. Leases that are still held expire. */
  close(): void {
    for (const lease of this.#held.values()) lease.stop()
    this.#held.clear()
  }

  #hold(key: string, holder: string, askedAt: number, { onReleaseRequested }: LockOptions): ReleaseLock {
    const renew = () => withDeadline(this.#table.renew(key, holder), this.#lease / 4, () => {})
    const lease = new HeldLease(
      { holder, renew, onReleaseRequested, trustedFor: this.#lease * 0.75 },
      askedAt,
    )
    this.#held.set(key, lease)
    let isReleased = false
    return async () => {
      if (isReleased) return
      isReleased = true
      lease.stop()
      if (this.#held.get(key) === lease) this.#held.delete(key)
      await this.#table.release(key, holder)
    }
  }
}

interface HeldLeaseOptions {
  readonly holder: string
  readonly renew: () => Promise<'held' | 'wanted' | 'lost'>
  readonly onReleaseRequested: LockOptions['onReleaseRequested']
  /** Milliseconds without a response after which the lock counts as lost: before others may acquire it. */
  readonly trustedFor: number
}

class HeldLease {
  readonly holder: string
  readonly #options: HeldLeaseOptions
  #confirmedAt: number
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(options: HeldLeaseOptions, askedAt: number) {
    this.holder = options.holder
    this.#options = options
    this.#confirmedAt = askedAt
    this.#schedule()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#renew(), RENEWAL_INTERVAL).unref()
  }

  async #renew(): Promise<void> {
    const askedAt = performance.now()
    const answer = await this.#options.renew().catch(() => undefined)
    if (this.#isStopped) return
    if (answer !== undefined) this.#confirmedAt = askedAt
    const isLost = answer === 'lost' || performance.now() - this.#confirmedAt > this.#options.trustedFor
    if (!isLost) this.#schedule()
    if (isLost) this.#options.onReleaseRequested('lost')
    else if (answer === 'wanted') this.#options.onReleaseRequested('wanted')
  }
}
