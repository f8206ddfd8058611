import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import { SessionTable } from './session-table.js'

/** Sessions in memory: they are lost at a restart, and clients start their uploads again. */
export class MemorySessionStore implements SessionStore {
  readonly #sessions = new SessionTable()

  async create(record: SessionRecord): Promise<void> {
    if (this.#sessions.get(record.uploadId)) throw new Error(`A session ${record.uploadId} already exists.`)
    this.#sessions.put(record)
  }

  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    const count = this.#sessions.count(record.user)
    if (count >= max) return count
    await this.create(record)
    return undefined
  }

  async get(uploadId: string): Promise<SessionRecord | undefined> {
    return this.#sessions.get(uploadId)
  }

  async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    const current = this.#sessions.get(uploadId)
    const changes = current && change(current)
    if (!current || !changes) return undefined
    const updated = { ...current, ...changes }
    this.#sessions.put(updated)
    return updated
  }

  async delete(uploadId: string): Promise<void> {
    this.#sessions.delete(uploadId)
  }

  async *list(options?: { readonly openOnly?: boolean }): AsyncIterable<SessionRecord> {
    yield* this.#sessions.list(options)
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    for await (const record of this.list()) if (record.lastActivity < before) yield record
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    yield* [...this.#sessions.ended()].filter((record) => record.lastActivity < before)
  }
}
