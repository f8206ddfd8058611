import type {
  LockOptions,
  ReleaseLock,
  SessionChange,
  SessionRecord,
  SessionStore,
} from '../../../types/session.js'
import { KeyedQueue } from '../../util/keyed-queue.js'
import { LeaseLocks } from '../lease-locks.js'
import { lockLost } from '../lock-lost.js'
import { createTable } from './create-table.js'
import { Database } from './database.js'
import { type PostgresSessionStoreOptions, postgresSettings } from './options.js'
import { postgresLeases } from './postgres-leases.js'
import { SessionRows } from './session-rows.js'

/** Sessions in PostgreSQL, one row each, for servers that share their uploads. */
export class PostgresSessionStore implements SessionStore {
  readonly #database: Database
  readonly #table: string
  readonly #rows: SessionRows
  readonly #locks: LeaseLocks
  readonly #turns = new KeyedQueue()

  /** @throws OptionError when an option is invalid. */
  constructor(options: PostgresSessionStoreOptions) {
    const { pool, table, lease, timeout } = postgresSettings(options)
    this.#database = new Database(pool, timeout)
    this.#table = table
    this.#rows = new SessionRows(this.#database, table)
    this.#locks = new LeaseLocks(postgresLeases(this.#database, table, lease), lease)
  }

  /** Creates the table if there is none. @throws BitsError 503 when the database does not answer, or refuses. */
  async open(): Promise<void> {
    await createTable(this.#database, this.#table)
    await this.check()
  }

  /** @throws BitsError 503 when the database does not respond, or accepts no writes. */
  async check(): Promise<void> {
    await this.#database.query(`UPDATE ${this.#table} SET holder = NULL WHERE upload_id = ''`)
  }

  async create(record: SessionRecord): Promise<void> {
    if (!(await this.#rows.insert(record, false))) throw alreadyExists(record)
  }

  /** Sessions that were created without a limit do not count. */
  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    const result = await this.#rows.insertWithin(record, max)
    if (result === false) throw alreadyExists(record)
    return result === true ? undefined : result
  }

  async get(uploadId: string): Promise<SessionRecord | undefined> {
    return (await this.#rows.read(uploadId))?.record
  }

  async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#turns.run(uploadId, () => this.#update(uploadId, change))
  }

  /** Tries again after changes by other processes; changes by this process are queued, which costs less. */
  async #update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    for (;;) {
      const row = await this.#rows.read(uploadId)
      if (!row) return undefined
      const changes = change(row.record)
      if (!changes) return undefined
      const holder = this.#locks.holderOf(uploadId)
      if (holder !== undefined && row.holder !== holder) throw lockLost(uploadId)
      const updated = { ...row.record, ...changes }
      if (await this.#rows.write(updated, row.version, holder)) return updated
    }
  }

  async delete(uploadId: string): Promise<void> {
    await this.#rows.delete(uploadId)
  }

  async *list({ openOnly = false } = {}): AsyncIterable<SessionRecord> {
    yield* this.#rows.list(openOnly ? 'NOT has_ended' : 'TRUE')
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    await this.#rows.deleteDeadLocks()
    yield* this.#rows.list('last_activity < $2', [before])
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    yield* this.#rows.list('has_ended AND last_activity < $2', [before])
  }

  async lock(key: string, options: LockOptions): Promise<ReleaseLock | undefined> {
    return this.#locks.acquire(key, options)
  }

  /** The pool stays open. */
  async close(): Promise<void> {
    this.#locks.close()
  }
}

const alreadyExists = ({ uploadId }: SessionRecord): Error =>
  new Error(`PostgresSessionStore: a session ${uploadId} already exists.`)
