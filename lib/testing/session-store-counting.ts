import assert from 'node:assert/strict'
import type { SessionRecord, SessionStore } from '../../types/session.js'
import { assertAnswer } from './assertions.js'
import { newRecord } from './new-record.js'
import { assertRejects, type ContractClauses } from './runner.js'
import { assertRecord } from './session-store-keeping.js'

type CreateWithin = (record: SessionRecord, max: number) => Promise<number | undefined>

/** A test for stores with `createWithin`; others pass it. */
const ifItCounts =
  (check: (createWithin: CreateWithin, store: SessionStore) => Promise<void>) =>
  async (store: SessionStore): Promise<void> => {
    if (store.createWithin) await check(async (record, max) => store.createWithin?.(record, max), store)
  }

/** Limiting the open sessions of a user. */
export const COUNTING: ContractClauses<SessionStore> = {
  'create-within': {
    'creates sessions up to the maximum, then returns how many there are': ifItCounts(
      async (createWithin, store) => {
        for (const n of [1, 2, 3]) {
          assertAnswer('createWithin()', await createWithin(newRecord(n), 3), undefined)
          assertRecord(await store.get(newRecord(n).uploadId), newRecord(n))
        }
        assertAnswer('createWithin()', await createWithin(newRecord(4), 3), 3)
        assertAnswer('get()', await store.get(newRecord(4).uploadId), undefined)
        assertAnswer('createWithin()', await createWithin(newRecord(4), 1), 3)
        assertAnswer('createWithin()', await createWithin(newRecord(4), 4), undefined)
      },
    ),

    'counts each user separately, and sessions without a user together': ifItCounts(async (createWithin) => {
      const users = ['ann', 'Ann', 'DOMAIN\\ann', 'a/../b', '漢字', 'x'.repeat(1000), '', undefined]
      for (const [n, user] of users.entries()) {
        const call = `createWithin() of a session of user ${user}`
        assertAnswer(call, await createWithin(newRecord(2 * n, { user }), 1), undefined)
        assertAnswer(call, await createWithin(newRecord(2 * n + 1, { user }), 1), 1)
      }
    }),

    'published sessions count, ended and deleted ones do not': ifItCounts(async (createWithin, store) => {
      for (const n of [1, 2, 3]) await createWithin(newRecord(n), 3)
      await store.update(newRecord(1).uploadId, () => ({ state: 'published' }))
      assertAnswer('createWithin()', await createWithin(newRecord(4), 3), 3)
      await store.update(newRecord(1).uploadId, () => ({ state: 'closed' }))
      await store.update(newRecord(2).uploadId, () => ({ state: 'cancelled' }))
      await store.delete(newRecord(3).uploadId)
      await store.delete(newRecord(3).uploadId)
      for (const n of [1, 2]) await store.delete(newRecord(n).uploadId)
      for (const n of [4, 5, 6])
        assertAnswer('createWithin()', await createWithin(newRecord(n), 3), undefined)
      assertAnswer('createWithin()', await createWithin(newRecord(7), 3), 3)
    }),

    'a change that does not end a session frees no place': ifItCounts(async (createWithin, store) => {
      await createWithin(newRecord(1), 1)
      await store.update(newRecord(1).uploadId, () => ({ total: 5, lastActivity: 7 }))
      await store.update(newRecord(1).uploadId, () => undefined)
      assertAnswer('createWithin()', await createWithin(newRecord(2), 1), 1)
      // Ending a session twice frees one place.
      await createWithin(newRecord(2), 2)
      for (const state of ['closed', 'closed', 'cancelled'] as const)
        await store.update(newRecord(1).uploadId, () => ({ state }))
      assertAnswer('createWithin()', await createWithin(newRecord(3), 1), 1)
    }),

    'rejects when the upload id exists, and counts the session once': ifItCounts(
      async (createWithin, store) => {
        await createWithin(newRecord(1), 5)
        await assertRejects(() => createWithin(newRecord(1, { total: 5 }), 5))
        assertRecord(await store.get(newRecord(1).uploadId), newRecord(1))
        assertAnswer('createWithin()', await createWithin(newRecord(2), 2), undefined)
        await store.delete(newRecord(1).uploadId)
        assertAnswer('createWithin()', await createWithin(newRecord(3), 2), undefined)
        assertAnswer('createWithin()', await createWithin(newRecord(4), 2), 2)
      },
    ),
  },

  'create-within-atomic': {
    'of many concurrent creations, as many succeed as there are places': ifItCounts(
      async (createWithin, store) => {
        const attempts = Array.from({ length: 30 }, (_, n) => createWithin(newRecord(n), 7))
        const results = await Promise.all(attempts)
        const created = results.filter((result) => result === undefined).length
        assert.equal(created, 7, `createWithin() created ${created} sessions instead of 7.`)
        let count = 0
        for await (const record of store.list()) count += record.state === 'receiving' ? 1 : 0
        assert.equal(count, 7, `list() has ${count} sessions instead of 7.`)
      },
    ),
  },
}
