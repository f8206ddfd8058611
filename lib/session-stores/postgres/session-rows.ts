import { createHash, randomUUID } from 'node:crypto'
import type { SessionRecord } from '../../../types/session.js'
import { hasEnded } from '../../sessions/record.js'
import { parseSessionRecord, recordLine } from '../record-file.js'
import { column, type Database, type Query } from './database.js'

/** Sessions that are read at a time. */
const ROWS_PER_PAGE = 100

/** A session as it was read. */
export interface SessionRow {
  readonly record: SessionRecord
  readonly version: unknown
  /** Who holds the lock. */
  readonly holder: unknown
}

/** The statements that read and write sessions. */
export class SessionRows {
  readonly #database: Database
  readonly #table: string

  constructor(database: Database, table: string) {
    this.#database = database
    this.#table = table
  }

  /** @returns whether it was inserted: false when the session exists already. */
  async insert(record: SessionRecord, isCounted: boolean, query: Query = this.#query): Promise<boolean> {
    const { rowCount } = await query(
      `INSERT INTO ${this.#table} AS t
        (upload_id, record, version, has_ended, last_activity, user_digest, is_counted) VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT (upload_id) DO UPDATE SET record = EXCLUDED.record, version = EXCLUDED.version,
        has_ended = EXCLUDED.has_ended, last_activity = EXCLUDED.last_activity,
        user_digest = EXCLUDED.user_digest, is_counted = EXCLUDED.is_counted
      WHERE t.record IS NULL`,
      [record.uploadId, ...written(record), digestOf(record.user), isCounted],
    )
    return Boolean(rowCount)
  }

  /** Inserts a session unless its user has `max` counted ones. @returns their number when it is too high. */
  async insertWithin(record: SessionRecord, max: number): Promise<number | boolean> {
    const user = digestOf(record.user)
    return this.#database.transaction(async (query) => {
      await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${this.#table} ${user}`])
      const { rows } = await query(
        `SELECT count(*)::int AS count FROM ${this.#table} WHERE user_digest = $1 AND is_counted AND NOT has_ended`,
        [user],
      )
      const count = Number(column(rows[0], 'count'))
      return count >= max ? count : this.insert(record, true, query)
    })
  }

  async read(uploadId: string): Promise<SessionRow | undefined> {
    const { rows } = await this.#query(
      `SELECT record::text, version, holder FROM ${this.#table} WHERE upload_id = $1 AND record IS NOT NULL`,
      [uploadId],
    )
    const record = parseSessionRecord(String(column(rows[0], 'record')))
    return record && { record, version: column(rows[0], 'version'), holder: column(rows[0], 'holder') }
  }

  /**
   * @param version which the row must still have.
   * @param holder who must still hold the lock; `undefined` when this process has not locked the session.
   * @returns whether it was written.
   */
  async write(record: SessionRecord, version: unknown, holder: string | undefined): Promise<boolean> {
    const { rowCount } = await this.#query(
      `UPDATE ${this.#table} SET record = $2, version = $3, has_ended = $4, last_activity = $5
       WHERE upload_id = $1 AND version = $6 AND ($7::text IS NULL OR holder = $7)`,
      [record.uploadId, ...written(record), version, holder],
    )
    return Boolean(rowCount)
  }

  /** A row that is locked stays, without a session, until it is unlocked. */
  async delete(uploadId: string): Promise<void> {
    const forget =
      'SET record = NULL, version = NULL, has_ended = NULL, is_counted = NULL, last_activity = NULL'
    await this.#query(`UPDATE ${this.#table} ${forget} WHERE upload_id = $1`, [uploadId])
    await this.#query(
      `DELETE FROM ${this.#table}
       WHERE upload_id = $1 AND record IS NULL AND (holder IS NULL OR held_until <= statement_timestamp())`,
      [uploadId],
    )
  }

  /** Removes the locks that dead processes held on something other than a session. */
  async deleteDeadLocks(): Promise<void> {
    await this.#query(
      `DELETE FROM ${this.#table} WHERE record IS NULL AND held_until < statement_timestamp() - interval '1 hour'`,
    )
  }

  /**
   * Reads page by page, ordered by id. Ids never change, so each session is listed once.
   *
   * @param condition may name `values` from `$2` on.
   */
  async *list(condition: string, values: readonly unknown[] = []): AsyncIterable<SessionRecord> {
    const text = `SELECT upload_id, record::text FROM ${this.#table}
      WHERE upload_id > $1 AND record IS NOT NULL AND ${condition} ORDER BY upload_id LIMIT ${ROWS_PER_PAGE}`
    for (let last: unknown = ''; last !== undefined; ) {
      const { rows } = await this.#query(text, [last, ...values])
      for (const row of rows) {
        const record = parseSessionRecord(String(column(row, 'record')))
        if (record) yield record
      }
      last = rows.length < ROWS_PER_PAGE ? undefined : column(rows.at(-1), 'upload_id')
    }
  }

  readonly #query: Query = (text, values) => this.#database.query(text, values)
}

/** The parameters record, version, has_ended and last_activity. */
const written = (record: SessionRecord): unknown[] => [
  recordLine(record),
  randomUUID(),
  hasEnded(record),
  record.lastActivity,
]

/** A user name may contain characters that PostgreSQL's `text` cannot. */
const digestOf = (user: string | undefined): string =>
  user === undefined ? '' : createHash('sha256').update(user).digest('hex')
