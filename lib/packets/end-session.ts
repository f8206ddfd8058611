import type { Ack } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { lockSession, tryLockSession } from '../sessions/lock-session.js'
import { hasEnded } from '../sessions/record.js'
import type { SessionLease } from '../sessions/session-lock.js'
import type { PacketContext, UploadService } from './context.js'

/**
 * What Close-Session and Cancel-Session share: a repeated end of the same kind is answered 200 again (D10), a delivery
 * under way comes to its end first, and listeners are told of an upload that came to nothing.
 *
 * @param state how the session ends.
 * @param end what is to be done with a session that is still going on. Returns how many bytes of an unfinished upload
 * were dropped; `undefined` when the upload was finished.
 */
export async function endSession(
  state: 'closed' | 'cancelled',
  context: PacketContext,
  service: UploadService,
  end: (record: SessionRecord, lease: SessionLease) => Promise<number | undefined>,
): Promise<Ack> {
  const { sessions, emit } = service
  const connection = context.req.socket
  // Also for a client that disconnects meanwhile: it meant this packet, and may never come back.
  const { record, lease } =
    (await tryLockSession(context.uploadId, context, sessions, connection)) ??
    (await lockSession((await sessions.find(context.uploadId, context)).uploadId, sessions, { connection }))
  const { uploadId } = record
  try {
    if (hasEnded(record) && record.state !== state) {
      throw new BitsError('session-not-found', `Session ${uploadId} was ${record.state} before.`)
    }
    if (!hasEnded(record)) {
      const dropped = await end(record, lease)
      const ended = await sessions.end(uploadId, state)
      if (dropped !== undefined) emit('cancelled', sessions.info(ended, dropped))
    }
    return { status: 200, headers: {} }
  } finally {
    await lease.release()
  }
}
