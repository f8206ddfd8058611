import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'

/** Sessions in memory: a restart forgets them, and clients start their uploads over. */
export class MemorySessionStore implements SessionStore {
  readonly #records = new Map<string, SessionRecord>()

  async create(record: SessionRecord): Promise<void> {
    if (this.#records.has(record.uploadId)) throw new Error(`There is a session ${record.uploadId} already.`)
    this.#records.set(record.uploadId, record)
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    return this.#records.get(key)
  }

  async update(
    key: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    const current = this.#records.get(key)
    const changes = current && change(current)
    if (!current || !changes) return undefined
    const updated = { ...current, ...changes }
    this.#records.set(key, updated)
    return updated
  }

  async delete(key: string): Promise<void> {
    this.#records.delete(key)
  }

  async *list(): AsyncIterable<SessionRecord> {
    yield* [...this.#records.values()]
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    yield* [...this.#records.values()].filter((record) => record.lastActivity < before)
  }
}
