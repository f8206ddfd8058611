import type { SessionRecord } from '../../types/session.js'

/** A record as the first Create-Session makes it; keys differ in their last digits. */
export const newRecord = (n: number, changes: Partial<SessionRecord> = {}): SessionRecord => ({
  uploadId: n.toString(16).padStart(16, '0').padStart(32, 'a'),
  destination: 'a b/ä "漢"\n.bin',
  path: '/uploads/a b/ä "漢"\n.bin',
  user: 'DOMAIN\\user',
  state: 'receiving',
  createdAt: 1_700_000_000_000,
  lastActivity: 1_700_000_000_000 + n,
  ...changes,
})
