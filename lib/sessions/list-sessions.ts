import type { SessionInfo } from '../../types/events.js'
import type { SessionRecord } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { hasEnded } from './record.js'
import { type Sessions, uploadOf } from './sessions.js'

/** Sessions whose bytes the storage is asked for at the same time. */
const CONCURRENCY = 8

/**
 * The open sessions. How far each has come is known from this process, or from its record; the storage, which may be far
 * away, is asked only where both say nothing.
 */
export async function listSessions(sessions: Sessions, storage: StorageAdapter): Promise<SessionInfo[]> {
  const infos: SessionInfo[] = []
  const unknown: { record: SessionRecord; index: number }[] = []
  for await (const record of sessions.store.list({ openOnly: true })) {
    if (hasEnded(record)) continue
    const info = sessions.info(record)
    if (sessions.received(record) === undefined) unknown.push({ record, index: infos.length })
    infos.push(info)
  }
  const ask = async (): Promise<void> => {
    for (let next = unknown.pop(); next; next = unknown.pop()) {
      infos[next.index] = sessions.info(next.record, await storage.received(uploadOf(next.record)))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, ask))
  return infos
}
