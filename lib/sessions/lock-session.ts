import type { SessionRecord } from '../../types/session.js'
import type { SessionLease } from './session-lock.js'
import type { SessionOwner, Sessions } from './sessions.js'

/** A session as it is now, and the right to work on it. */
export interface LockedSession {
  readonly record: SessionRecord
  readonly lease: SessionLease
}

/**
 * The session a packet names, when nobody is at work on it: one look at the store is enough then. Not where processes
 * share a store, whose lock is not to be taken before it is known whose session it is.
 *
 * @returns `undefined` when the session has to be found first, and then taken by {@link lockSession}.
 * @throws BitsError `session-not-found` (D32).
 */
export async function tryLockSession(
  key: string | undefined,
  owner: SessionOwner,
  sessions: Sessions,
): Promise<LockedSession | undefined> {
  if (key === undefined || sessions.store.lock) return undefined
  const lease = await sessions.locks.tryAcquire(key)
  return lease && withLease(lease, () => sessions.find(key, owner))
}

/**
 * A session that was found: whoever is at work on it gives way.
 *
 * @param connected see `SessionLocks.acquire`.
 * @throws PreemptedError, BitsError as `SessionLocks.acquire` and `Sessions.reload`.
 */
export async function lockSession(
  key: string,
  sessions: Sessions,
  connected?: AbortSignal,
): Promise<LockedSession> {
  return withLease(await sessions.locks.acquire(key, connected), () => sessions.reload(key))
}

async function withLease(lease: SessionLease, read: () => Promise<SessionRecord>): Promise<LockedSession> {
  try {
    return { record: await read(), lease }
  } catch (error) {
    await lease.release()
    throw error
  }
}
