import type { SessionRecord } from '../../types/session.js'
import type { Exchange, Service } from './exchange.js'

/** Milliseconds between two notices while a fragment is on its way. */
const INTERVAL = 500

/**
 * Announces how far a session is while a fragment arrives, by what its connection has read: a guess within the
 * fragment, and exact with the length that the returned function is given at its end.
 */
export function watchProgress(
  req: Exchange['req'],
  start: number,
  end: number,
  record: SessionRecord,
  service: Service,
): (length?: number) => void {
  const announce = (received: number) => {
    service.sessions.progress.note(record.key, received)
    service.announce('progress', service.sessions.info(record, received))
  }
  service.sessions.progress.note(record.key, start)
  const before = bytesRead(req)
  const timer = setInterval(() => {
    announce(Math.min(start + bytesRead(req) - before, end))
  }, INTERVAL)
  timer.unref()
  return (length) => {
    clearInterval(timer)
    if (length !== undefined) announce(length)
  }
}

const bytesRead = (req: Exchange['req']): number => req.socket.bytesRead
