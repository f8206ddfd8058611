import type { ContentRange } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { rangeLength } from '../protocol/content-range.js'
import type { PacketContext, UploadService } from './context.js'

/** Milliseconds between two events while a fragment is being received. */
const PROGRESS_INTERVAL = 500

/**
 * Emits the progress of a session while a fragment arrives, based on what its connection has read: an estimate during
 * the fragment, exact once the returned function is passed the length. Call it before the body is read.
 * @param before bytes received before this fragment.
 */
export function watchProgress(
  req: PacketContext['req'],
  range: ContentRange,
  before: number,
  record: SessionRecord,
  service: UploadService,
): (length?: number) => void {
  const emit = (received: number) => {
    service.sessions.progress.note(record.uploadId, received)
    service.emit('progress', service.sessions.info(record, received))
  }
  const sender = { address: req.ip, fragmentSize: rangeLength(range) }
  service.sessions.progress.note(record.uploadId, before, sender)
  const start = range.first - bytesRead(req) + req.readableLength
  const timer = setInterval(() => {
    emit(Math.min(Math.max(start + bytesRead(req), before), range.last + 1))
  }, PROGRESS_INTERVAL)
  timer.unref()
  return (length) => {
    clearInterval(timer)
    if (length !== undefined) emit(length)
  }
}

const bytesRead = (req: PacketContext['req']): number => req.socket.bytesRead
