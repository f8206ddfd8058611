import type { SessionRecord } from '../../types/session.js'
import { hasEnded } from '../sessions/record.js'

/** Sessions in memory, and how many open ones each user has. */
export class SessionTable {
  readonly #open = new Map<string, SessionRecord>()
  readonly #ended = new Map<string, SessionRecord>()
  readonly #counts = new Map<string | undefined, number>()

  get size(): number {
    return this.#open.size + this.#ended.size
  }

  /** Open sessions of a user. */
  count(user: string | undefined): number {
    return this.#counts.get(user) ?? 0
  }

  get(uploadId: string): SessionRecord | undefined {
    return this.#open.get(uploadId) ?? this.#ended.get(uploadId)
  }

  /** Adds a session, or replaces it. One that stays open keeps its place in the list. */
  put(record: SessionRecord): void {
    const { uploadId, user } = record
    const known = this.#open.get(uploadId)
    if (known && !hasEnded(record) && known.user === user) {
      this.#open.set(uploadId, record)
      return
    }
    this.delete(uploadId)
    if (hasEnded(record)) {
      this.#ended.set(uploadId, record)
      return
    }
    this.#open.set(uploadId, record)
    this.#counts.set(user, this.count(user) + 1)
  }

  delete(uploadId: string): void {
    this.#ended.delete(uploadId)
    const record = this.#open.get(uploadId)
    if (!record) return
    this.#open.delete(uploadId)
    const left = this.count(record.user) - 1
    if (left > 0) this.#counts.set(record.user, left)
    else this.#counts.delete(record.user)
  }

  open(): IterableIterator<SessionRecord> {
    return this.#open.values()
  }

  ended(): IterableIterator<SessionRecord> {
    return this.#ended.values()
  }

  /** A snapshot of the sessions, for a slow caller. */
  list({ openOnly = false } = {}): SessionRecord[] {
    return openOnly ? [...this.#open.values()] : [...this.#open.values(), ...this.#ended.values()]
  }
}
