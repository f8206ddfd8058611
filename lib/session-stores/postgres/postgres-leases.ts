import { type LeaseTable, WISH_LIFETIME } from '../lease-locks.js'
import { column, type Database } from './database.js'

/** The database's clock, because those of the servers may differ. It does not advance during a statement. */
const STATEMENT_TIME = 'statement_timestamp()'
const after = (parameter: string) => `${STATEMENT_TIME} + ${parameter} * interval '1 millisecond'`

/**
 * Leases in the row of the session, so that a change of the session can check the lock in the same step. An advisory lock
 * would take a connection of the pool for as long as a fragment takes.
 */
export function postgresLeases(database: Database, table: string, lease: number): LeaseTable {
  const isFree = `(t.holder IS NULL OR t.held_until <= ${STATEMENT_TIME})`
  return {
    async acquire(key, holder, wish) {
      const { rows } = await database.query(
        `INSERT INTO ${table} AS t (upload_id, holder, held_until) VALUES ($1, $2, ${after('$3::int')})
         ON CONFLICT (upload_id) DO UPDATE SET
           holder = CASE WHEN ${isFree} THEN $2 ELSE t.holder END,
           held_until = CASE WHEN ${isFree} THEN ${after('$3::int')} ELSE t.held_until END,
           wanted_until = CASE WHEN NOT ${isFree} AND $4::int > 0 THEN ${after('$4::int')} END
         WHERE ${isFree} OR $4::int > 0
         RETURNING t.holder`,
        [key, holder, lease, wish ? WISH_LIFETIME : 0],
      )
      return column(rows[0], 'holder') === holder
    },
    async renew(key, holder) {
      const { rows } = await database.query(
        `UPDATE ${table} SET held_until = ${after('$3::int')} WHERE upload_id = $1 AND holder = $2
         RETURNING coalesce(wanted_until > ${STATEMENT_TIME}, false) AS wanted`,
        [key, holder, lease],
      )
      if (rows.length === 0) return 'lost'
      return column(rows[0], 'wanted') === true ? 'wanted' : 'held'
    },
    async release(key, holder) {
      await database.query(
        `WITH gone AS (DELETE FROM ${table} WHERE upload_id = $1 AND holder = $2 AND record IS NULL)
         UPDATE ${table} SET holder = NULL, held_until = NULL, wanted_until = NULL
         WHERE upload_id = $1 AND holder = $2 AND record IS NOT NULL`,
        [key, holder],
      )
    },
  }
}
