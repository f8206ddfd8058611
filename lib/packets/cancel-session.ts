import type { Ack } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { uploadOf } from '../sessions/sessions.js'
import type { PacketContext, UploadService } from './context.js'
import { endSession } from './end-session.js'

/**
 * Cancel-Session: staged bytes and reply are removed. A file that is published stays (Win32 Cancel-Session, D8).
 */
export const cancelSession = (context: PacketContext, service: UploadService): Promise<Ack> =>
  endSession('cancelled', context, service, (record) => cancel(record, service))

async function cancel(record: SessionRecord, { storage }: UploadService): Promise<number | undefined> {
  const upload = uploadOf(record)
  const held = await storage.received(upload)
  await storage.discard(upload)
  return record.state === 'published' ? undefined : held
}
