import assert from 'node:assert/strict'
import type { SessionRecord, SessionStore } from '../../types/session.js'
import { assertAnswer } from './assertions.js'
import { newRecord } from './new-record.js'
import { assertRejects, type ContractClauses } from './runner.js'

/** Fails unless both are equal; a field that is `undefined` may also be absent. */
export function assertRecord(actual: SessionRecord | undefined, expected: SessionRecord): void {
  assert.ok(actual, `The store returned ${actual} instead of the session ${expected.uploadId}.`)
  assertAnswer('The store', withoutUndefined(actual), withoutUndefined(expected))
}

const withoutUndefined = (record: SessionRecord): object =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))

/** Creating, reading and deleting sessions. */
export const KEEPING: ContractClauses<SessionStore> = {
  create: {
    'returns a session as it was created, whatever characters it contains': async (store) => {
      const record = newRecord(1, { total: 2 ** 53 - 1, replyUrl: 'BITS-Sessions\\x', refused: true })
      await store.create(record)
      assertRecord(await store.get(record.uploadId), record)
    },

    'keeps a session without a user, a total and a reply': async (store) => {
      const record = newRecord(1, { user: undefined })
      await store.create(record)
      assertRecord(await store.get(record.uploadId), record)
    },

    'returns nothing for a key that was never created': async (store) => {
      const { uploadId } = newRecord(1)
      assertAnswer('get()', await store.get(uploadId), undefined)
      assertAnswer('update()', await store.update(uploadId, () => ({ total: 1 })), undefined)
      assertAnswer('get()', await store.get(uploadId), undefined)
    },
  },

  'create-once': {
    'rejects a key that exists, and keeps its session': async (store) => {
      await store.create(newRecord(1))
      await assertRejects(() => store.create(newRecord(1, { total: 5 })))
      assertRecord(await store.get(newRecord(1).uploadId), newRecord(1))
    },

    'of concurrent creations of one key, exactly one succeeds': async (store) => {
      const results = await Promise.allSettled(
        // A store may also throw before it returns a promise.
        Array.from({ length: 10 }, async (_, n) => store.create(newRecord(1, { total: n }))),
      )
      const created = results.filter(({ status }) => status === 'fulfilled').length
      assert.equal(created, 1, `${created} of 10 calls of create() for one upload id resolved.`)
      const winner = results.findIndex(({ status }) => status === 'fulfilled')
      assertAnswer('The total that get()', (await store.get(newRecord(1).uploadId))?.total, winner)
    },
  },

  delete: {
    'deletes a session, and a second delete does nothing': async (store) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      await store.create(newRecord(2))
      await store.delete(uploadId)
      await store.delete(uploadId)
      assertAnswer('get()', await store.get(uploadId), undefined)
      assertAnswer('update()', await store.update(uploadId, () => ({ total: 1 })), undefined)
      assertRecord(await store.get(newRecord(2).uploadId), newRecord(2))
    },
  },
}
