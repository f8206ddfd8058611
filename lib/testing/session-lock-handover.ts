import assert from 'node:assert/strict'
import type { SessionStore } from '../../types/session.js'
import { assertHeld, eventually, LOCK_KEY, lock, tryLock } from './lock-helpers.js'
import type { LocksUnderTest } from './locks-under-test.js'
import { newRecord } from './new-record.js'
import { assertRejects, type ContractClauses } from './runner.js'
import { assertRecord } from './session-store-keeping.js'

/** Milliseconds within which a holder is asked to release its lock, and within which a dead holder's lock expires. */
const REQUEST_LIMIT = 2_000
const SUCCESSION_LIMIT = 15_000

/** How a lock passes from one process to the next. */
export const LOCK_HANDOVER: ContractClauses<LocksUnderTest> = {
  'lock-wanted': {
    'a holder is asked for its lock within two seconds, and the waiting process gets it': async ({
      one,
      other,
    }) => {
      const held = await lock(one, LOCK_KEY)
      const waiting = lock(other, LOCK_KEY, 30_000)
      waiting.catch(() => {})
      await eventually(
        () => held.requests.includes('wanted'),
        REQUEST_LIMIT,
        'onReleaseRequested was not called',
      )
      assert.ok(!held.requests.includes('lost'), 'A lock was reported as lost when it was only requested.')
      await held.release()
      await (await waiting).release()
    },

    'a holder that ignores requests keeps the lock until it releases it': async ({ one, other }) => {
      const held = await lock(one, LOCK_KEY)
      const waiting = tryLock(other, LOCK_KEY, { timeout: 4_000 })
      assert.equal(await waiting, undefined, 'lock() acquired a lock that another process holds.')
      assert.ok(!held.requests.includes('lost'), 'The lock of a live holder was lost.')
      await held.release()
    },
  },

  'lock-alive': {
    'a live holder keeps the lock for longer than a dead one': async ({ one, other }) => {
      const held = await lock(one, LOCK_KEY)
      await assertHeld(other, LOCK_KEY, { timeout: SUCCESSION_LIMIT })
      assert.ok(!held.requests.includes('lost'), 'The lock of a live holder was lost.')
      await held.release()
    },
  },

  'lock-expiry': {
    'the lock of a dead holder can be acquired within 15 seconds': async ({ one, other, die }) => {
      await one.create(newRecord(1))
      await lock(one, LOCK_KEY)
      await die(one)
      const successor = await lock(other, LOCK_KEY, SUCCESSION_LIMIT)
      assertRecord(await other.update(LOCK_KEY, () => ({ total: 1 })), newRecord(1, { total: 1 }))
      await successor.release()
    },
  },

  'lock-lost': {
    'a process that has lost its lock is notified, and can no longer change the session': async (subject) => {
      const { one, other, wake } = subject
      if (!wake) return
      for (const n of [1, 2]) await one.create(newRecord(n))
      const { held, successor } = await loseLock(subject)
      await wake(one)
      await assertRejects(() => one.update(LOCK_KEY, () => ({ total: 2 })))
      assertRecord(await one.get(LOCK_KEY), newRecord(1))
      await eventually(
        () => held.requests.includes('lost'),
        5_000,
        'onReleaseRequested was not called with lost',
      )
      await assertRejects(() => one.update(LOCK_KEY, () => ({ total: 2 })))
      assertRecord(await changeTotal(one, 2), newRecord(2, { total: 5 }))
      assertRecord(await changeTotal(other, 1), newRecord(1, { total: 5 }))
      // Releasing a lock that was lost may reject, but must not release that of the successor.
      await Promise.allSettled([(async () => held.release())()])
      await assertHeld(one, LOCK_KEY)
      await successor.release()
      const again = await lock(one, LOCK_KEY, REQUEST_LIMIT)
      assertRecord(await changeTotal(one, 1), newRecord(1, { total: 5 }))
      await again.release()
    },
  },
}

/** Makes `one` lose its lock to `other`, without being able to notice. */
async function loseLock({ one, other, die }: LocksUnderTest) {
  const held = await lock(one, LOCK_KEY)
  await die(one)
  return { held, successor: await lock(other, LOCK_KEY, SUCCESSION_LIMIT) }
}

const changeTotal = async (store: SessionStore, n: number) =>
  store.update(newRecord(n).uploadId, () => ({ total: 5 }))
