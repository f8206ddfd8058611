import type { SessionRecord } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { Emit } from '../events.js'
import { asError } from '../util/errors.js'
import { uploadOf } from './sessions.js'

/**
 * Removes what is staged of a published file. A failure, as of a virus scanner that has it open, is reported and not the
 * client's: the file is there, and the sweep tries again.
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
