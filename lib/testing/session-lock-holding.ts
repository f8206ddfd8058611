import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { assertAnswer } from './assertions.js'
import { assertHeld, LOCK_KEY, lock, tryLock } from './lock-helpers.js'
import type { LocksUnderTest } from './locks-under-test.js'
import { newRecord } from './new-record.js'
import { assertRejects, type ContractClauses } from './runner.js'

/** Milliseconds after which an aborted wait must no longer make a holder release its lock. */
const ABORTED_WISH_LIFETIME = 3_000

/** Holding a lock, and waiting for it. */
export const LOCK_HOLDING: ContractClauses<LocksUnderTest> = {
  'lock-exclusive': {
    'one holder at a time, in one process and in two': async ({ one, other }) => {
      const held = await lock(one, LOCK_KEY)
      await assertHeld(other, LOCK_KEY)
      await assertHeld(one, LOCK_KEY)
      await held.release()
      await (await lock(other, LOCK_KEY)).release()
      await (await lock(one, LOCK_KEY)).release()
    },

    'of many concurrent attempts, one acquires it': async ({ one, other }) => {
      const attempts = Array.from({ length: 20 }, (_, n) => tryLock(n % 2 ? one : other, LOCK_KEY))
      const holders = (await Promise.all(attempts)).flatMap((held) => held ?? [])
      assert.equal(holders.length, 1, `${holders.length} of 20 hold the lock at the same time.`)
      await holders[0]?.release()
    },

    'no two hold it at the same time, however many want it': async ({ one, other }) => {
      let working = 0
      const work = async (n: number) => {
        const held = await lock(n % 2 ? one : other, LOCK_KEY, 30_000)
        assert.equal(++working, 1, 'Two hold the lock at the same time.')
        await delay(5)
        working--
        await held.release()
      }
      await Promise.all(Array.from({ length: 10 }, (_, n) => work(n)))
    },
  },

  'lock-keys': {
    'different keys are independent, and no session need exist': async ({ one, other }) => {
      const keys = [LOCK_KEY, newRecord(2).uploadId, 'sweep', `a-name-of-64-characters-${'z'.repeat(40)}`]
      const held = await Promise.all(keys.map((key, n) => lock(n % 2 ? one : other, key)))
      for (const key of keys) await assertHeld(one, key)
      for (const { release } of held) await release()
    },

    'locks of keys without a session leave no session behind': async ({ one, other }) => {
      await (await lock(one, LOCK_KEY)).release()
      const held = await lock(one, 'sweep')
      for (const store of [one, other]) {
        assertAnswer('get() of a key that was only locked', await store.get(LOCK_KEY), undefined)
        for await (const record of store.list()) assert.fail(`The session ${record.uploadId} was listed.`)
      }
      await held.release()
    },
  },

  'lock-timeout': {
    'with timeout 0 it tries once': async ({ one, other }) => {
      const held = await lock(one, LOCK_KEY)
      const start = Date.now()
      await assertHeld(other, LOCK_KEY)
      assert.ok(Date.now() - start < 2_000, 'A lock() with timeout 0 waited.')
      await held.release()
    },

    'it waits until the timeout': async ({ one, other }) => {
      const held = await lock(one, LOCK_KEY)
      const start = Date.now()
      await assertHeld(other, LOCK_KEY, { timeout: 500 })
      // Timers may be a millisecond early.
      assert.ok(Date.now() - start >= 490, `lock() returned after ${Date.now() - start} of 500 ms.`)
      await held.release()
    },
  },

  'lock-abort': {
    'it rejects if the signal has already aborted': async ({ one, other }) => {
      const held = await lock(one, LOCK_KEY)
      await assertRejects(() => tryLock(other, LOCK_KEY, { timeout: 10_000, signal: AbortSignal.abort() }))
      await held.release()
      await (await lock(other, LOCK_KEY)).release()
    },

    'an aborted wait rejects soon, and leaves no request for the lock behind': async ({ one, other }) => {
      const held = await lock(one, LOCK_KEY)
      const client = new AbortController()
      const start = Date.now()
      const waiting = tryLock(other, LOCK_KEY, { timeout: 30_000, signal: client.signal })
      setTimeout(() => client.abort(), 100)
      await assertRejects(() => waiting)
      assert.ok(Date.now() - start < 5_000, 'The wait continued after its signal had aborted.')
      await held.release()
      await delay(ABORTED_WISH_LIFETIME)
      const next = await lock(one, LOCK_KEY)
      await delay(ABORTED_WISH_LIFETIME)
      assert.deepEqual(next.requests, [], 'A holder was asked for its lock on behalf of an aborted wait.')
      await next.release()
    },

    'a signal that aborts after the lock was acquired has no effect': async ({ one, other }) => {
      const client = new AbortController()
      const held = await tryLock(one, LOCK_KEY, { signal: client.signal })
      client.abort()
      await delay(50)
      await assertHeld(other, LOCK_KEY)
      await held?.release()
    },
  },

  'lock-release': {
    'releasing twice does not affect the next holder': async ({ one, other }) => {
      const first = await lock(one, LOCK_KEY)
      await first.release()
      const second = await lock(other, LOCK_KEY)
      // It may reject, but must not release what another process holds.
      await Promise.allSettled([(async () => first.release())()])
      await assertHeld(one, LOCK_KEY)
      await second.release()
    },
  },
}
