import type { SessionRecord } from '../../types/session.js'

/** Is the session over, and only remembered? */
export const hasEnded = (record: SessionRecord): boolean =>
  record.state === 'closed' || record.state === 'cancelled'
