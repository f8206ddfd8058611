import type { SessionRecord } from '../../types/session.js'

/** Only an application that was told of an upload leaves a reply. */
export const mayHaveReply = (record: SessionRecord): boolean => record.copyToDestination !== undefined
