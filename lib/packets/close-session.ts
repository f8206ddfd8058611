import type { Ack, CloseSessionPacket } from '../../types/packets.js'
import type { CompletedRequest } from '../delivery/completed-upload.js'
import { discardRemains } from '../sessions/discard-remains.js'
import { mayHaveReply } from '../sessions/may-have-reply.js'
import { uploadOf } from '../sessions/sessions.js'
import type { PacketContext, UploadService } from './context.js'
import { endSession } from './end-session.js'

/**
 * Close-Session: the upload is over, and what is left of it is removed (MC-BUP 3.2.5.2.7). A part of a file is never
 * published (D3).
 */
export const closeSession = (
  packet: CloseSessionPacket,
  context: PacketContext,
  service: UploadService,
): Promise<Ack> =>
  endSession('closed', context, service, (record, { lost }) =>
    close({ record, sessionId: packet.sessionId, req: context.req, origin: context.origin, lost }, service),
  )

async function close(completed: CompletedRequest, service: UploadService): Promise<number | undefined> {
  const { record } = completed
  const { storage, deliveries } = service
  const upload = uploadOf(record)
  if (record.state === 'published') {
    // What was staged went at publication.
    if (mayHaveReply(record)) await discardRemains(record, service)
    return undefined
  }
  const held = await storage.received(upload)
  // All bytes are in: a delivery that failed is made up for, and an empty file has no fragment to deliver it (D16).
  if (held === (record.total ?? 0) && !record.refused) {
    return close({ ...completed, record: await deliveries.deliver(completed, service) }, service)
  }
  await storage.discard(upload)
  return held
}
