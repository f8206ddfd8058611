import type { SessionStore } from '../../types/session.js'
import { BitsError } from '../errors.js'
import { hasEnded } from './has-ended.js'

/** Milliseconds after which the store is asked again, for what other processes created and ended. */
const FRESH = 10_000

/** Counts the sessions that each user has going on. */
export class SessionLimit {
  readonly #store: SessionStore
  readonly #now: () => number
  /** Sessions as the store listed them last, and their users. */
  #listed = new Map<string, string | undefined>()
  /** Sessions that this process created since, or too shortly before for the list to have them. */
  readonly #claimed = new Map<string, { user: string | undefined; at: number }>()
  #listedAt = Number.NEGATIVE_INFINITY
  #listing: Promise<void> | undefined

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
    if (this.#now() - this.#listedAt > FRESH) {
      this.#listing ??= this.#list().finally(() => {
        this.#listing = undefined
      })
      await this.#listing
    }
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
  }

  #count(user: string | undefined): number {
    const users = new Map(this.#listed)
    for (const [key, claim] of this.#claimed) users.set(key, claim.user)
    return [...users.values()].filter((other) => other === user).length
  }

  async #list(): Promise<void> {
    const start = this.#now()
    const listed = new Map<string, string | undefined>()
    for await (const record of this.#store.list()) {
      if (!hasEnded(record)) listed.set(record.key, record.user)
    }
    this.#listed = listed
    this.#listedAt = start
    for (const [key, { at }] of this.#claimed) if (at < start - FRESH) this.#claimed.delete(key)
  }
}
