import type { SessionInfo } from '../../types/events.js'
import type { SessionRecord } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import { hasEnded } from './has-ended.js'
import { mayHaveReply } from './may-have-reply.js'
import { REMEMBERED, type Sessions, uploadOf } from './sessions.js'

/** Removes all sessions with all that is staged: uploads were switched off (MC-BUP 3.2.4.2). */
export async function sweepAll(
  sessions: Sessions,
  storage: StorageAdapter,
  onExpired: (session: SessionInfo) => void,
): Promise<void> {
  for await (const record of sessions.store.list()) await remove(record, sessions, storage, onExpired)
  for await (const { id } of storage.staged?.() ?? []) await discard(id, sessions, storage)
}

/**
 * Removes sessions that were idle for longer than their timeout, with their staged data and replies (MC-BUP 3.2.6.1),
 * and staged data that no session owns, or needs any more: a process that dies right after a publication leaves some.
 * Published files are not looked at.
 *
 * @param onExpired told of each session that did not end by itself.
 */
export async function sweep(
  sessions: Sessions,
  storage: StorageAdapter,
  onExpired: (session: SessionInfo) => void,
): Promise<void> {
  const now = sessions.now()
  const idle = now - sessions.timeout - sessions.slack
  for await (const record of sessions.store.expired(Math.max(idle, now - REMEMBERED))) {
    if (record.lastActivity < (hasEnded(record) ? now - REMEMBERED : idle)) {
      await remove(record, sessions, storage, onExpired)
    }
  }
  for await (const { id, lastModified } of storage.staged?.() ?? []) {
    const session = await sessions.store.get(id)
    if (session ? isDone(session) : lastModified.getTime() < idle) await discard(id, sessions, storage)
  }
}

const isDone = (record: SessionRecord): boolean =>
  hasEnded(record) || (record.state === 'published' && !mayHaveReply(record))

/** Not what somebody is at work on. */
async function discard(id: string, sessions: Sessions, storage: StorageAdapter): Promise<void> {
  const lease = await sessions.locks.tryAcquire(id)
  if (!lease) return
  try {
    await storage.discard({ id, destination: '' })
  } finally {
    await lease.release()
  }
}

async function remove(
  found: SessionRecord,
  sessions: Sessions,
  storage: StorageAdapter,
  onExpired: (session: SessionInfo) => void,
): Promise<void> {
  const lease = await sessions.locks.tryAcquire(found.key)
  if (!lease) return
  try {
    const record = await sessions.store.get(found.key)
    if (!record || record.lastActivity !== found.lastActivity) return
    const received = await heldBytes(record, storage)
    // The record goes first: no packet can find the session while its data goes.
    await sessions.store.delete(record.key)
    await storage.discard(uploadOf(record))
    if (!hasEnded(record)) onExpired(sessions.info(record, received))
    sessions.progress.forget(record.key)
    sessions.limit.free(record.key)
  } finally {
    await lease.release()
  }
}

async function heldBytes(record: SessionRecord, storage: StorageAdapter): Promise<number> {
  if (record.state === 'published') return record.total ?? 0
  return hasEnded(record) ? 0 : storage.received(uploadOf(record)).catch(() => 0)
}
