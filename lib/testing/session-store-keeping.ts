import assert from 'node:assert/strict'
import type { SessionRecord, SessionStore } from '../../types/session.js'
import { newRecord } from './new-record.js'
import { assertRejects, type ContractTests } from './runner.js'

/** Fails unless both are the same; a field that is `undefined` may as well be absent. */
export function assertRecord(actual: SessionRecord | undefined, expected: SessionRecord): void {
  assert.ok(actual, 'There is no such session.')
  assert.deepEqual(withoutUndefined(actual), withoutUndefined(expected))
}

const withoutUndefined = (record: SessionRecord): object =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))

/** How sessions are created, kept and deleted. */
export const KEEPING: ContractTests<SessionStore> = {
  'gives back what it was given, whatever characters there are in it': async (store) => {
    const record = newRecord(1, { total: 2 ** 53 - 1, replyUrl: 'BITS-Sessions\\x', refused: true })
    await store.create(record)
    assertRecord(await store.get(record.uploadId), record)
  },

  'keeps a session without a user, a total and a reply': async (store) => {
    const record = newRecord(1, { user: undefined })
    await store.create(record)
    assertRecord(await store.get(record.uploadId), record)
  },

  'has nothing under a key that was never created': async (store) => {
    const { uploadId } = newRecord(1)
    assert.equal(await store.get(uploadId), undefined)
    assert.equal(await store.update(uploadId, () => ({ total: 1 })), undefined)
    assert.equal(await store.get(uploadId), undefined)
  },

  'refuses a key that is taken, and keeps what is there': async (store) => {
    await store.create(newRecord(1))
    await assertRejects(() => store.create(newRecord(1, { total: 5 })))
    assertRecord(await store.get(newRecord(1).uploadId), newRecord(1))
  },

  'of creations that race for a key one wins': async (store) => {
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => store.create(newRecord(1, { total: n }))),
    )
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
    const winner = results.findIndex(({ status }) => status === 'fulfilled')
    assert.equal((await store.get(newRecord(1).uploadId))?.total, winner)
  },

  'deletes a session, and a second delete does nothing': async (store) => {
    const { uploadId } = newRecord(1)
    await store.create(newRecord(1))
    await store.create(newRecord(2))
    await store.delete(uploadId)
    await store.delete(uploadId)
    assert.equal(await store.get(uploadId), undefined)
    assert.equal(await store.update(uploadId, () => ({ total: 1 })), undefined)
    assertRecord(await store.get(newRecord(2).uploadId), newRecord(2))
  },
}
