import type { SessionStore } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { hasEnded } from './record.js'

/** Milliseconds for which a list of the store's sessions is used. */
const LISTING_TTL = 10_000
/** Milliseconds for which it is used to refuse a session. */
const LISTING_TTL_BEFORE_REFUSAL = 1_000
/** A listing is used for at least 20 times as long as it took: listing takes at most 5 % of the time. */
const LISTING_SHARE = 20

/** The error when a user has the maximum number of open sessions. */
export function tooManySessions(user: string | undefined, count: number, max: number): BitsError {
  const who = user === undefined ? 'Users without a name have' : `The user ${user} has`
  return new BitsError('too-many-sessions', `${who} ${count} open sessions; ${max} are allowed.`)
}

/**
 * Counts the open sessions of each user, for stores without `createWithin`: from a listing of all sessions, which is
 * repeated when it is too old, and from the sessions that this process creates and ends in between.
 */
export class SessionLimit {
  readonly #store: Pick<SessionStore, 'list' | 'lock'>
  readonly #now: () => number
  /** Sessions as the store listed them last, and their users. */
  #listed = new Map<string, string | undefined>()
  /** Sessions that this process has created since, or just before, so that the listing may lack them. */
  readonly #claimed = new Map<string, { user: string | undefined; at: number }>()
  /** Open sessions of each user: those of both maps. */
  #counts = new Map<string | undefined, number>()
  #listedAt = Number.NEGATIVE_INFINITY
  /** Milliseconds. */
  #listingTook = 0
  #listing: Promise<void> | undefined
  /** Sessions that ended while the store was being listed, which may have seen them before. */
  readonly #freed = new Set<string>()

  constructor(store: Pick<SessionStore, 'list' | 'lock'>, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /**
   * Reserves a place for one more session. IIS counts only when its clean-up runs, and then deletes the excess (Win32
   * BITSNumberOfSessionsLimit); here the session is not created.
   *
   * @throws BitsError `too-many-sessions`.
   */
  async claim(key: string, user: string | undefined, max: number): Promise<void> {
    if (max === Number.POSITIVE_INFINITY) return
    await this.#refresh(this.#store.lock ? 0 : LISTING_TTL)
    if (this.#count(user) >= max) await this.#refresh(LISTING_TTL_BEFORE_REFUSAL)
    // No await from here to the claim, so that two claims cannot share the last place.
    const count = this.#count(user)
    if (count >= max) throw tooManySessions(user, count, max)
    this.#claimed.set(key, { user, at: this.#now() })
    this.#counts.set(user, count + 1)
  }

  /** Releases the place of a session that has ended, or was not created after all. */
  free(key: string): void {
    if (this.#listing) this.#freed.add(key)
    const claim = this.#claimed.get(key)
    if (!claim && !this.#listed.has(key)) return
    const user = claim ? claim.user : this.#listed.get(key)
    this.#listed.delete(key)
    this.#claimed.delete(key)
    this.#counts.set(user, Math.max(this.#count(user) - 1, 0))
  }

  #count(user: string | undefined): number {
    return this.#counts.get(user) ?? 0
  }

  /** Lists the store again, unless it was listed less than `ttl` milliseconds ago, or listing it takes too long. */
  async #refresh(ttl: number): Promise<void> {
    if (this.#now() - this.#listedAt <= Math.max(ttl, this.#listingTook * LISTING_SHARE)) return
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
      if (this.#claimed.has(record.uploadId)) seen.add(record.uploadId)
      if (!hasEnded(record)) listed.set(record.uploadId, record.user)
    }
    for (const key of this.#freed) listed.delete(key)
    this.#listed = listed
    this.#listedAt = start
    this.#listingTook = this.#now() - start
    // The store is authoritative: this process may not notice the end of a session.
    for (const [key, { at }] of this.#claimed) {
      if (seen.has(key) || at < start - LISTING_TTL) this.#claimed.delete(key)
    }
    this.#recount()
  }

  #recount(): void {
    const counts = new Map<string | undefined, number>()
    const add = (user: string | undefined) => counts.set(user, (counts.get(user) ?? 0) + 1)
    for (const user of this.#listed.values()) add(user)
    for (const [key, { user }] of this.#claimed) if (!this.#listed.has(key)) add(user)
    this.#counts = counts
  }
}
