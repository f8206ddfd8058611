import type { Ack } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { uploadOf } from '../sessions/sessions.js'
import type { PacketContext, UploadService } from './context.js'
import { endSession } from './end-session.js'

/** Cancel-Session: removes staged bytes and the reply. A published file stays (Win32 Cancel-Session, D8). */
export const cancelSession = (context: PacketContext, service: UploadService): Promise<Ack> =>
  endSession('cancelled', context, service, (record) => discardUpload(record, service))

async function discardUpload(record: SessionRecord, { storage }: UploadService): Promise<number | undefined> {
  const upload = uploadOf(record)
  const received = await storage.received(upload)
  await storage.discard(upload)
  return record.state === 'published' ? undefined : received
}
