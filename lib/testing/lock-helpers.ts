import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { LockOptions, ReleaseLock, SessionStore } from '../../types/session.js'
import { newRecord } from './new-record.js'

/** The key that most tests lock. */
export const LOCK_KEY = newRecord(1).uploadId

type Reason = Parameters<LockOptions['onReleaseRequested']>[0]

/** A lock, and the requests that its holder has received. */
export interface HeldLock {
  readonly release: ReleaseLock
  readonly requests: readonly Reason[]
}

/** Acquires a lock. @returns `undefined` when it is not available within the time (milliseconds, default 0). */
export async function tryLock(
  store: SessionStore,
  key: string,
  { timeout = 0, signal }: { timeout?: number; signal?: AbortSignal } = {},
): Promise<HeldLock | undefined> {
  const requests: Reason[] = []
  const onReleaseRequested = (reason: Reason) => void requests.push(reason)
  assert.ok(store.lock, 'The store has no lock().')
  const release = await store.lock(key, { timeout, onReleaseRequested, ...(signal ? { signal } : {}) })
  return release && { release, requests }
}

/** Like {@link tryLock}, for a lock that must be available. */
export async function lock(store: SessionStore, key: string, timeout = 0): Promise<HeldLock> {
  const held = await tryLock(store, key, { timeout })
  assert.ok(held, `lock() did not acquire the lock within ${timeout} ms, although it is available.`)
  return held
}

/** Fails if a lock can be acquired that is already held. */
export async function assertHeld(
  store: SessionStore,
  key: string,
  options: Parameters<typeof tryLock>[2] = {},
): Promise<void> {
  const held = await tryLock(store, key, options)
  assert.equal(held, undefined, `lock() acquired the lock ${key}, which is held already.`)
}

/** Waits until a condition holds. Fails after `limit` milliseconds, with `what` as the message. */
export async function eventually(condition: () => boolean, limit: number, what: string): Promise<void> {
  for (const end = Date.now() + limit; !condition(); ) {
    assert.ok(Date.now() < end, `${what} within ${limit} ms.`)
    await delay(20)
  }
}
