import { column, type Database } from './database.js'

/**
 * Creates the table if there is none. Servers that start at the same time take turns: `IF NOT EXISTS` does not prevent
 * two of them from failing. An existing table is not touched, so the database user needs no permission to create one.
 *
 * The record is `json`, not `jsonb`, which cannot hold every string. Its version is random, so a session that is
 * deleted and created again has another one. A row without a record is a lock on something other than a session.
 */
export async function createTable(database: Database, table: string): Promise<void> {
  const { rows } = await database.query('SELECT to_regclass($1) IS NOT NULL AS found', [table])
  if (column(rows[0], 'found') === true) return
  const index = table.replace('.', '_')
  await database.transaction(async (query) => {
    await query('SELECT pg_advisory_xact_lock(hashtext($1))', [table])
    await query(`CREATE TABLE IF NOT EXISTS ${table} (
      upload_id text PRIMARY KEY,
      record json,
      version text,
      user_digest text,
      is_counted boolean,
      has_ended boolean,
      last_activity bigint,
      holder text,
      held_until timestamptz,
      wanted_until timestamptz
    )`)
    await query(`CREATE INDEX IF NOT EXISTS ${index}_ended ON ${table} (upload_id) WHERE has_ended`)
    await query(
      `CREATE INDEX IF NOT EXISTS ${index}_counted ON ${table} (user_digest) WHERE is_counted AND NOT has_ended`,
    )
  })
}
