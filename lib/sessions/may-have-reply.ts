import type { SessionRecord } from '../../types/session.js'

/** Only an application that was notified of an upload can leave a reply. */
export const mayHaveReply = (record: SessionRecord): boolean => record.copyToDestination !== undefined
