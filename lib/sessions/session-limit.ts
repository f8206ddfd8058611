import type { SessionStore } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { hasEnded } from './record.js'

/** Milliseconds for which a list of the store's sessions serves at the most. */
const FRESH = 10_000
/** Where other processes create and end sessions too, a list serves only so many times as long as it took to make. */
const SHARED_FACTOR = 20
/** Milliseconds for which a list serves to refuse a session by. */
const FRESH_ENOUGH_TO_REFUSE = 1_000

/** Counts the sessions that each user has going on. */
export class SessionLimit {
  readonly #store: SessionStore
  readonly #now: () => number
  /** Sessions as the store listed them last, and their users. */
  #listed = new Map<string, string | undefined>()
  /** Sessions that this process created since, or too shortly before for the list to have them. */
  readonly #claimed = new Map<string, { user: string | undefined; at: number }>()
  #listedAt = Number.NEGATIVE_INFINITY
  /** Milliseconds. */
  #listingTook = 0
  #listing: Promise<void> | undefined
  /** Sessions that ended while the store was being listed, which may have seen them before. */
  readonly #freed = new Set<string>()

  constructor(store: SessionStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /**
   * Makes room for one session more. IIS counts only when its clean-up runs, and deletes what is too much then
   * (Win32 BITSNumberOfSessionsLimit); here the session that would be too much is not created.
   *
   * @throws BitsError `too-many-sessions`.
   */
  async claim(key: string, user: string | undefined, max: number): Promise<void> {
    if (max === Number.POSITIVE_INFINITY) return
    const isShared = this.#store.lock !== undefined
    await this.#refresh(isShared ? Math.min(FRESH, this.#listingTook * SHARED_FACTOR) : FRESH)
    if (this.#count(user) >= max) await this.#refresh(FRESH_ENOUGH_TO_REFUSE)
    // From here to the claim nothing waits, so that two claims cannot share the last room.
    const count = this.#count(user)
    if (count >= max) {
      const who = user === undefined ? 'Nobody in particular' : `The user ${user}`
      throw new BitsError('too-many-sessions', `${who} has ${count} sessions going on; ${max} are allowed.`)
    }
    this.#claimed.set(key, { user, at: this.#now() })
  }

  /** A session is over, or was not created after all. */
  free(key: string): void {
    this.#listed.delete(key)
    this.#claimed.delete(key)
    if (this.#listing) this.#freed.add(key)
  }

  #count(user: string | undefined): number {
    const users = new Map(this.#listed)
    for (const [key, claim] of this.#claimed) users.set(key, claim.user)
    return [...users.values()].filter((other) => other === user).length
  }

  /** Lists the store again, unless it was listed in the last `age` milliseconds. */
  async #refresh(age: number): Promise<void> {
    if (this.#now() - this.#listedAt <= age) return
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined
      this.#freed.clear()
    })
    await this.#listing
  }

  async #list(): Promise<void> {
    const start = this.#now()
    const listed = new Map<string, string | undefined>()
    const seen = new Set<string>()
    for await (const record of this.#store.list()) {
      seen.add(record.uploadId)
      if (!hasEnded(record)) listed.set(record.uploadId, record.user)
    }
    for (const key of this.#freed) listed.delete(key)
    this.#listed = listed
    this.#listedAt = start
    this.#listingTook = this.#now() - start
    // What the store knows it knows better than this process, which may not hear of a session's end.
    for (const [key, { at }] of this.#claimed) {
      if (seen.has(key) || at < start - FRESH) this.#claimed.delete(key)
    }
  }
}
