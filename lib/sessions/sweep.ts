import type { SessionInfo } from '../../types/events.js'
import type { SessionRecord } from '../../types/session.js'
import type { StagedData, StorageAdapter } from '../../types/storage.js'
import { ENDED_SESSION_TTL } from './ended-sessions.js'
import { mayHaveReply } from './may-have-reply.js'
import { hasEnded } from './record.js'
import { type Sessions, uploadOf } from './sessions.js'

/** Staged uploads whose sessions are looked up at the same time. */
const SWEEP_BATCH = 16

/** Receives the events of a sweep. */
export interface SweepListener {
  /** A session was removed that had not ended by itself. */
  readonly onExpired: (session: SessionInfo) => void
  /** Something could not be removed; the sweep continues, and the next one tries again. */
  readonly onError: (error: unknown) => void
  /** Whether to stop because another process is sweeping. */
  readonly isStopped: () => boolean
}

/** Removes all sessions and all staged data: uploads were disabled (MC-BUP 3.2.4.2). */
export async function sweepAll(
  sessions: Sessions,
  storage: StorageAdapter,
  listener: SweepListener,
): Promise<void> {
  for await (const record of sessions.store.list()) await removeExpired(record, sessions, storage, listener)
  for await (const { uploadId } of storage.staged?.() ?? [])
    await discard(uploadId, sessions, storage, listener)
}

/**
 * Removes sessions that were idle for longer than their timeout, with their staged data and replies (MC-BUP 3.2.6.1),
 * and orphaned staged data: a process that dies right after a publication leaves some. Published files are not
 * touched.
 */
export async function sweep(
  sessions: Sessions,
  storage: StorageAdapter,
  listener: SweepListener,
): Promise<void> {
  const now = sessions.now()
  const idle = now - sessions.timeout - sessions.slack
  const ended = now - ENDED_SESSION_TTL
  const { store } = sessions
  for await (const record of store.ended?.(ended) ?? []) {
    if (listener.isStopped()) return
    await removeExpired(record, sessions, storage, listener)
  }
  // A store that cannot list ended sessions returns them among the others.
  for await (const record of store.expired(store.ended ? idle : Math.max(idle, ended))) {
    if (listener.isStopped()) return
    if (record.lastActivity < (hasEnded(record) ? ended : idle)) {
      await removeExpired(record, sessions, storage, listener)
    }
  }
  for await (const page of pagesOf(storage.staged?.() ?? [])) {
    if (listener.isStopped()) return
    const records = await Promise.all(page.map(async ({ uploadId }) => store.get(uploadId)))
    for (const [n, { uploadId, lastModified }] of page.entries()) {
      const session = records[n]
      if (session ? isDone(session) : lastModified.getTime() < idle) {
        await discard(uploadId, sessions, storage, listener)
      }
    }
  }
}

/** In pages whose sessions are looked up together: the store may be slow to respond. */
async function* pagesOf(
  staged: AsyncIterable<StagedData> | Iterable<StagedData>,
): AsyncIterable<StagedData[]> {
  let page: StagedData[] = []
  for await (const data of staged) {
    page.push(data)
    if (page.length < SWEEP_BATCH) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

const isDone = (record: SessionRecord): boolean =>
  hasEnded(record) || (record.state === 'published' && !mayHaveReply(record))

const discard = (
  id: string,
  sessions: Sessions,
  storage: StorageAdapter,
  { onError }: SweepListener,
): Promise<void> =>
  underLease(id, sessions, onError, async () => storage.discard({ uploadId: id, destination: '' }))

const removeExpired = (
  found: SessionRecord,
  sessions: Sessions,
  storage: StorageAdapter,
  { onExpired, onError }: SweepListener,
): Promise<void> =>
  underLease(found.uploadId, sessions, onError, async () => {
    const record = await sessions.store.get(found.uploadId)
    if (!record || record.lastActivity !== found.lastActivity) return
    const received = await heldBytes(record, storage)
    // The record is deleted first, so that no packet can find the session while its data is being removed.
    await sessions.store.delete(record.uploadId)
    try {
      await storage.discard(uploadOf(record))
    } catch (error) {
      onError(error)
    }
    // A published upload is complete, even if its client never closed the session.
    if (record.state === 'receiving') onExpired(sessions.info(record, received))
    sessions.progress.forget(record.uploadId)
    sessions.limit.free(record.uploadId)
  })

/** Runs a task on an idle session. Failures are reported and do not stop the sweep. */
async function underLease(
  key: string,
  sessions: Sessions,
  onError: (error: unknown) => void,
  work: () => Promise<void>,
): Promise<void> {
  try {
    const lease = await sessions.locks.tryAcquire(key)
    if (lease) await work().finally(() => lease.release())
  } catch (error) {
    onError(error)
  }
}

async function heldBytes(record: SessionRecord, storage: StorageAdapter): Promise<number> {
  if (record.state === 'published') return record.total ?? 0
  if (hasEnded(record)) return 0
  try {
    return await storage.received(uploadOf(record))
  } catch {
    // Only for listeners of `expired`; the discard that follows reports the problem.
    return 0
  }
}
