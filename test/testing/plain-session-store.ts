import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import type { LockOptions, SessionChange, SessionRecord, SessionStore } from 'express-bits-upload'

type Change = (current: SessionRecord) => SessionChange | undefined

export interface LockRow {
  holder: PlainSessionStore | undefined
  /** Distinguishes successive locks of the same holder. */
  token: symbol
  until: number
  wantedUntil: number
}

/** The engine that stores share, such as a database. */
export class PlainEngine {
  readonly records = new Map<string, SessionRecord>()
  readonly locks = new Map<string, LockRow>()
}

const isOpen = ({ state }: SessionRecord): boolean => state === 'receiving' || state === 'published'

/** A session store that is correct and as simple as possible. Broken stores replace one of its methods. */
export class PlainSessionStore implements SessionStore {
  readonly engine: PlainEngine
  /** Milliseconds. */
  readonly lease = 2000
  suspended = false
  readonly #lost = new Set<string>()
  /** Tokens by key. */
  readonly #held = new Map<string, symbol>()
  readonly #heartbeats = new Set<NodeJS.Timeout>()
  #closed = false

  constructor(engine = new PlainEngine()) {
    this.engine = engine
  }

  get records(): Map<string, SessionRecord> {
    return this.engine.records
  }

  async create(record: SessionRecord): Promise<void> {
    if (this.records.has(record.uploadId)) throw new Error(`${record.uploadId} is there already.`)
    this.records.set(record.uploadId, record)
  }

  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    const count = this.countOf(record.user)
    if (count >= max) return count
    await this.create(record)
    return undefined
  }

  async get(uploadId: string): Promise<SessionRecord | undefined> {
    return this.records.get(uploadId)
  }

  async update(uploadId: string, change: Change): Promise<SessionRecord | undefined> {
    this.rejectIfLost(uploadId)
    const current = this.records.get(uploadId)
    const changes = current && change(current)
    if (!current || !changes) return undefined
    const updated = { ...current, ...changes }
    this.records.set(uploadId, updated)
    return updated
  }

  async delete(uploadId: string): Promise<void> {
    this.records.delete(uploadId)
  }

  async *list({ openOnly = false } = {}): AsyncIterable<SessionRecord> {
    yield* [...this.records.values()].filter((record) => !openOnly || isOpen(record))
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    yield* [...this.records.values()].filter(({ lastActivity }) => lastActivity < before)
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    for await (const record of this.expired(before)) if (!isOpen(record)) yield record
  }

  async lock(key: string, { timeout, onReleaseRequested, signal }: LockOptions) {
    const end = Date.now() + timeout
    for (;;) {
      signal?.throwIfAborted()
      if (this.#closed) throw new Error('The store is closed.')
      const release = this.tryLock(key, onReleaseRequested)
      if (release) return release
      if (Date.now() >= end) return undefined
      this.want(key)
      await delay(Math.min(20, end - Date.now() + 1), undefined, signal ? { signal } : {})
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const heartbeat of this.#heartbeats) clearInterval(heartbeat)
  }

  countOf(user: string | undefined): number {
    return [...this.records.values()].filter((record) => record.user === user && isOpen(record)).length
  }

  rejectIfLost(uploadId: string): void {
    const held = this.#held.get(uploadId)
    const row = this.engine.locks.get(uploadId)
    if (held && row && row.token !== held) throw new Error(`The lock of ${uploadId} was lost.`)
    if (this.#lost.has(uploadId)) throw new Error(`The lock of ${uploadId} was lost.`)
  }

  want(key: string): void {
    const row = this.engine.locks.get(key)
    if (row) row.wantedUntil = Date.now() + 200
  }

  tryLock(key: string, onReleaseRequested: LockOptions['onReleaseRequested']) {
    const { locks } = this.engine
    const row = locks.get(key)
    if (row && !this.isFree(row)) return undefined
    const token = Symbol(key)
    locks.set(key, { holder: this, token, until: Date.now() + this.lease, wantedUntil: 0 })
    this.#lost.delete(key)
    const heartbeat = setInterval(() => {
      if (this.suspended) return
      const now = locks.get(key)
      if (now?.token !== token) {
        clearInterval(heartbeat)
        this.lose(key, onReleaseRequested)
        return
      }
      now.until = Date.now() + this.lease
      if (now.wantedUntil > Date.now()) onReleaseRequested('wanted')
    }, 50)
    this.#heartbeats.add(heartbeat)
    this.#held.set(key, token)
    return async () => {
      clearInterval(heartbeat)
      if (this.#held.get(key) === token) this.#held.delete(key)
      this.free(key, token)
    }
  }

  isFree(row: LockRow): boolean {
    return row.until < Date.now()
  }

  lose(key: string, onReleaseRequested: LockOptions['onReleaseRequested']): void {
    this.#lost.add(key)
    onReleaseRequested('lost')
  }

  free(key: string, token: symbol): void {
    if (this.engine.locks.get(key)?.token === token) this.engine.locks.delete(key)
  }
}

/** Takes several turns of the event loop, as a database request does. */
export async function aWhile(): Promise<void> {
  for (let n = 0; n < 3; n++) await setImmediate()
}
