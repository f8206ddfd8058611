export type { PgClient, PgPool } from './database.js'
export type { PostgresSessionStoreOptions } from './options.js'
export { PostgresSessionStore } from './postgres-session-store.js'
