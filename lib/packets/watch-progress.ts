import type { ContentRange } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import type { PacketContext, UploadService } from './context.js'

/** Milliseconds between two notices while a fragment is on its way. */
const INTERVAL = 500

/**
 * Announces how far a session is while a fragment arrives, by what its connection has read: a guess within the
 * fragment, and exact with the length that the returned function is given at its end. Call it before the body is read.
 *
 * @param held bytes the session holds already.
 */
export function watchProgress(
  req: PacketContext['req'],
  range: ContentRange,
  held: number,
  record: SessionRecord,
  service: UploadService,
): (length?: number) => void {
  const emit = (received: number) => {
    service.sessions.progress.note(record.uploadId, received)
    service.emit('progress', service.sessions.info(record, received))
  }
  service.sessions.progress.note(record.uploadId, held)
  const start = range.first - bytesRead(req) + req.readableLength
  const timer = setInterval(() => {
    emit(Math.min(Math.max(start + bytesRead(req), held), range.last + 1))
  }, INTERVAL)
  timer.unref()
  return (length) => {
    clearInterval(timer)
    if (length !== undefined) emit(length)
  }
}

const bytesRead = (req: PacketContext['req']): number => req.socket.bytesRead
