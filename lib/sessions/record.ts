import type { SessionRecord } from '../../types/session.js'

/** Tells whether the session has ended and is only remembered. */
export const hasEnded = (record: SessionRecord): boolean =>
  record.state === 'closed' || record.state === 'cancelled'
