import type { SessionRecord } from '../../types/session.js'
import type { LockRequester, SessionLease } from './session-lock.js'
import type { SessionOwner, Sessions } from './sessions.js'

/** The current state of a session, and its lock. */
export interface LockedSession {
  readonly record: SessionRecord
  readonly lease: SessionLease
}

/**
 * Locks the session of a packet if it is idle; the store is then read only once. Not for stores that processes share:
 * their lock must not be acquired before the owner of the session is known.
 *
 * @param connection see {@link LockRequester}.
 * @returns `undefined` when the session has to be found first, and then locked by {@link lockSession}.
 * @throws BitsError `session-not-found` (D32).
 */
export async function tryLockSession(
  uploadId: string | undefined,
  owner: SessionOwner,
  sessions: Sessions,
  connection: object,
): Promise<LockedSession | undefined> {
  if (uploadId === undefined || sessions.store.lock) return undefined
  const lease = await sessions.locks.tryAcquire(uploadId, connection)
  return lease && withLease(lease, () => sessions.find(uploadId, owner))
}

/**
 * Locks a session that was found: requests of other connections that hold the lock are preempted.
 *
 * @throws PreemptedError, BitsError as `SessionLocks.acquire` and `Sessions.reload`.
 */
export async function lockSession(
  uploadId: string,
  sessions: Sessions,
  requester: LockRequester,
): Promise<LockedSession> {
  return withLease(await sessions.locks.acquire(uploadId, requester), () => sessions.reload(uploadId))
}

async function withLease(lease: SessionLease, read: () => Promise<SessionRecord>): Promise<LockedSession> {
  try {
    return { record: await read(), lease }
  } catch (error) {
    await lease.release()
    throw error
  }
}
