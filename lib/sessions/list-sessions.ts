import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SessionInfo } from '../../types/events.js'
import type { SessionRecord } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { hasEnded } from './record.js'
import { type Sessions, uploadOf } from './sessions.js'

/** Number of concurrent requests to the storage. */
const CONCURRENCY = 8
/** Sessions after which other requests get their turn: a store in memory never waits. */
const SESSIONS_AT_ONCE = 500

/**
 * The open sessions. The bytes received are known to this process, or from the record; the storage, which may be slow
 * to respond, is asked only if both are missing.
 */
export async function listSessions(sessions: Sessions, storage: StorageAdapter): Promise<SessionInfo[]> {
  const infos: SessionInfo[] = []
  const unknown: { record: SessionRecord; index: number }[] = []
  for await (const record of sessions.store.list({ openOnly: true })) {
    if (hasEnded(record)) continue
    const info = sessions.info(record)
    if (sessions.received(record) === undefined) unknown.push({ record, index: infos.length })
    infos.push(info)
    if (infos.length % SESSIONS_AT_ONCE === 0) await nextTurn()
  }
  const ask = async (): Promise<void> => {
    for (let next = unknown.pop(); next; next = unknown.pop()) {
      infos[next.index] = sessions.info(next.record, await storage.received(uploadOf(next.record)))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, ask))
  return infos
}
