import type { SessionRecord } from '../../types/session.js'
import type { LockRequester, SessionLease } from './session-lock.js'
import type { SessionOwner, Sessions } from './sessions.js'

/** A session as it is now, and the right to work on it. */
export interface LockedSession {
  readonly record: SessionRecord
  readonly lease: SessionLease
}

/**
 * The session a packet names, if nothing is working on it: then the store is read only once. Not where processes share a
 * store, whose lock must not be acquired before it is known whose session it is.
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
 * Locks a session that was found: requests of other connections that work on it give way.
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
