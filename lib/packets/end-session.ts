import type { Ack } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { lockSession, tryLockSession } from '../sessions/lock-session.js'
import { hasEnded } from '../sessions/record.js'
import type { SessionLease } from '../sessions/session-lock.js'
import type { PacketContext, UploadService } from './context.js'

/**
 * Common to Close-Session and Cancel-Session: a repeated packet of the same type gets 200 again (D10), a delivery in
 * progress finishes first, and listeners are notified of an upload that was not completed.
 * @param state how the session ends.
 * @param end does the work for a session that is still active. Returns the number of bytes of an unfinished upload that
 * were discarded; `undefined` when the upload was finished.
 */
export async function endSession(
  state: 'closed' | 'cancelled',
  context: PacketContext,
  service: UploadService,
  end: (record: SessionRecord, lease: SessionLease) => Promise<number | undefined>,
): Promise<Ack> {
  const { sessions, emit } = service
  const connection = context.req.socket
  // Also for a client that has disconnected: it sent this packet on purpose, and may never return.
  const { record, lease } =
    (await tryLockSession(context.uploadId, context, sessions, connection)) ??
    (await lockSession((await sessions.find(context.uploadId, context)).uploadId, sessions, { connection }))
  const { uploadId } = record
  try {
    if (hasEnded(record) && record.state !== state) {
      throw new BitsError('session-not-found', `Session ${uploadId} is already ${record.state}.`)
    }
    if (!hasEnded(record)) {
      const discarded = await end(record, lease)
      const ended = await sessions.end(uploadId, state)
      if (discarded !== undefined) emit('cancelled', sessions.info(ended, discarded))
    }
    return { status: 200, headers: {} }
  } finally {
    await lease.release()
  }
}
