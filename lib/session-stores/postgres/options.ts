import { type Check, checkEach, type OptionChecks } from '../../validation/check-options.js'
import { isInteger, objectWith } from '../../validation/value-checks.js'
import type { PgPool } from './database.js'

/** Options of a {@link PostgresSessionStore}. `undefined` means the default. */
export interface PostgresSessionStoreOptions {
  /** A `Pool` of the package `pg`, which you configure and end. */
  pool: PgPool
  /**
   * Name of the table, with its schema if that is not in the search path: lower-case letters, digits and `_`. It is
   * created when it does not exist. Default: `bits_sessions`.
   */
  table?: string | undefined
  /** Milliseconds after which the lock of a dead process expires. From 2,000. Default: 10,000. */
  lease?: number | undefined
  /** Milliseconds to wait for the database to respond; after that, the packet gets 503. Default: 5,000. */
  timeout?: number | undefined
}

const isTable: Check = (value) =>
  typeof value === 'string' && /^(?:[a-z_][a-z0-9_]{0,39}\.)?[a-z_][a-z0-9_]{0,39}$/.test(value)
    ? undefined
    : 'a name, or a schema and a name with a dot between them, of lower-case letters, digits and _'

const POSTGRES_OPTIONS: OptionChecks<PostgresSessionStoreOptions> = {
  pool: objectWith({ query: true, connect: true }, 'a Pool of the package pg'),
  table: isTable,
  lease: (value) => isInteger(value, 'milliseconds', 2_000, 600_000),
  timeout: (value) => isInteger(value, 'milliseconds', 1, 600_000),
}

/** {@link PostgresSessionStoreOptions} with their defaults. */
export type PostgresSettings = {
  readonly [Name in keyof PostgresSessionStoreOptions]-?: NonNullable<PostgresSessionStoreOptions[Name]>
}

/** @throws OptionError when an option is invalid. */
export function postgresSettings(options: PostgresSessionStoreOptions): PostgresSettings {
  checkEach({ name: 'PostgresSessionStore', checks: POSTGRES_OPTIONS, required: ['pool'] }, options)
  return {
    pool: options.pool,
    table: options.table ?? 'bits_sessions',
    lease: options.lease ?? 10_000,
    timeout: options.timeout ?? 5_000,
  }
}
