import { serviceUnavailable } from '../../protocol/unavailable.js'
import { DeadlineError, withDeadline } from '../../util/deadline.js'
import { asError } from '../../util/errors.js'

interface PgResult {
  readonly rows: readonly unknown[]
  readonly rowCount: number | null
}

/** The part of a client of the package `pg` that is used. */
export interface PgClient {
  query(text: string, values?: unknown[]): Promise<PgResult>
  release(error?: Error | boolean): void
}

/** The part of a `Pool` of the package `pg` that is used. */
export interface PgPool {
  query(text: string, values?: unknown[]): Promise<PgResult>
  connect(): Promise<PgClient>
}

export type Query = (text: string, values?: unknown[]) => Promise<PgResult>

/** A pool waits for a connection possibly forever, so each call has a time limit. */
export class Database {
  readonly #pool: PgPool
  readonly #timeout: number

  /** @param timeout milliseconds. */
  constructor(pool: PgPool, timeout: number) {
    this.#pool = pool
    this.#timeout = timeout
  }

  /** @throws BitsError 503 when the database refuses the statement, or does not respond in time. */
  async query(text: string, values: unknown[] = []): Promise<PgResult> {
    return this.#limit(this.#pool.query(text, values))
  }

  /** @throws like {@link query}; the transaction is then rolled back. */
  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.#limit(this.#runTransaction(work))
  }

  async #runTransaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    try {
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
      const result = await work((text, values) => client.query(text, values))
      await client.query('COMMIT')
      client.release()
      return result
    } catch (error) {
      // Closing the connection rolls back, whatever state it is in.
      client.release(true)
      throw error
    }
  }

  async #limit<T>(work: Promise<T>): Promise<T> {
    try {
      return await withDeadline(work, this.#timeout, () => {})
    } catch (error) {
      if (error instanceof DeadlineError) {
        throw serviceUnavailable(
          `PostgresSessionStore: PostgreSQL did not answer within ${this.#timeout} ms.`,
        )
      }
      throw serviceUnavailable(`PostgresSessionStore: PostgreSQL: ${asError(error).message}`, {
        cause: error,
      })
    }
  }
}

/** A column of a row that a query has returned. */
export const column = (row: unknown, name: string): unknown =>
  typeof row === 'object' && row !== null ? Reflect.get(row, name) : undefined
