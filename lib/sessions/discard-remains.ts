import type { SessionRecord } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { Emit } from '../events.js'
import { asError } from '../util/errors.js'
import { uploadOf } from './sessions.js'

/**
 * Removes the staged data of a published file. A failure, for example because a virus scanner has it open, is
 * reported but not sent to the client: the file is published, and the sweep tries again.
 */
export async function discardRemains(
  record: SessionRecord,
  { storage, emit }: { readonly storage: StorageAdapter; readonly emit: Emit },
  options?: { keepReply: boolean },
): Promise<void> {
  try {
    await storage.discard(uploadOf(record), options)
  } catch (error) {
    emit('error', asError(error), { uploadId: record.uploadId })
  }
}
