import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import { hasEnded } from '../sessions/record.js'

/** Sessions in memory: they are lost at a restart, and clients start their uploads again. */
export class MemorySessionStore implements SessionStore {
  readonly #open = new Map<string, SessionRecord>()
  readonly #ended = new Map<string, SessionRecord>()
  /** Open sessions of each user. */
  readonly #counts = new Map<string | undefined, number>()

  async create(record: SessionRecord): Promise<void> {
    if (this.#find(record.uploadId)) throw new Error(`A session ${record.uploadId} exists already.`)
    this.#put(record)
  }

  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    const count = this.#counts.get(record.user) ?? 0
    if (count >= max) return count
    await this.create(record)
    return undefined
  }

  async get(uploadId: string): Promise<SessionRecord | undefined> {
    return this.#find(uploadId)
  }

  async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    const current = this.#find(uploadId)
    const changes = current && change(current)
    if (!current || !changes) return undefined
    const updated = { ...current, ...changes }
    // A session that stays open keeps its place in the list, which may be in progress.
    if (hasEnded(current) || hasEnded(updated)) this.#remove(uploadId)
    this.#put(updated)
    return updated
  }

  async delete(uploadId: string): Promise<void> {
    this.#remove(uploadId)
  }

  async *list({ openOnly = false } = {}): AsyncIterable<SessionRecord> {
    yield* [...this.#open.values(), ...(openOnly ? [] : this.#ended.values())]
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    for await (const record of this.list()) if (record.lastActivity < before) yield record
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    yield* [...this.#ended.values()].filter((record) => record.lastActivity < before)
  }

  #find(uploadId: string): SessionRecord | undefined {
    return this.#open.get(uploadId) ?? this.#ended.get(uploadId)
  }

  #put(record: SessionRecord): void {
    const { uploadId, user } = record
    if (hasEnded(record)) {
      this.#ended.set(uploadId, record)
      return
    }
    if (!this.#open.has(uploadId)) this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1)
    this.#open.set(uploadId, record)
  }

  #remove(uploadId: string): void {
    this.#ended.delete(uploadId)
    const record = this.#open.get(uploadId)
    if (!record) return
    this.#open.delete(uploadId)
    const left = (this.#counts.get(record.user) ?? 1) - 1
    if (left > 0) this.#counts.set(record.user, left)
    else this.#counts.delete(record.user)
  }
}
