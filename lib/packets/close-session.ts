import type { Ack, CloseSessionPacket } from '../../types/packets.js'
import type { CompletedRequest } from '../delivery/completed-upload.js'
import { discardRemains } from '../sessions/discard-remains.js'
import { mayHaveReply } from '../sessions/may-have-reply.js'
import { uploadOf } from '../sessions/sessions.js'
import type { PacketContext, UploadService } from './context.js'
import { endSession } from './end-session.js'

/**
 * Close-Session: ends the upload and removes what is left of it (MC-BUP 3.2.5.2.7). An incomplete file is never
 * published (D3).
 */
export const closeSession = (
  packet: CloseSessionPacket,
  context: PacketContext,
  service: UploadService,
): Promise<Ack> =>
  endSession('closed', context, service, (record, { lost }) =>
    closeUpload(
      { record, sessionId: packet.sessionId, req: context.req, origin: context.origin, lost },
      service,
    ),
  )

async function closeUpload(completed: CompletedRequest, service: UploadService): Promise<number | undefined> {
  const { record } = completed
  const { storage, deliveries } = service
  const upload = uploadOf(record)
  if (record.state === 'published') {
    // Publication has already removed the staged data.
    if (mayHaveReply(record)) await discardRemains(record, service)
    return undefined
  }
  const received = await storage.received(upload)
  // All bytes have arrived: repeat a delivery that failed, or deliver an empty file, which has no fragment to do so
  // (D16).
  if (received === (record.total ?? 0) && !record.refused) {
    return closeUpload({ ...completed, record: await deliveries.deliver(completed, service) }, service)
  }
  await storage.discard(upload)
  return received
}
