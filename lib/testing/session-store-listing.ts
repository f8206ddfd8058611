import assert from 'node:assert/strict'
import type { SessionRecord, SessionStore } from '../../types/session.js'
import { newRecord } from './new-record.js'
import type { ContractTests } from './runner.js'

const ALL = Number.MAX_SAFE_INTEGER

async function keysOf(records: AsyncIterable<SessionRecord>): Promise<string[]> {
  const keys: string[] = []
  for await (const { uploadId } of records) keys.push(uploadId)
  return keys.sort()
}

const keys = (...numbers: number[]): string[] => numbers.map((n) => newRecord(n).uploadId)

/** The two ways to list all sessions. */
const LISTS: Readonly<Record<string, (store: SessionStore) => AsyncIterable<SessionRecord>>> = {
  'it lists them': (store) => store.list(),
  'it lists those that are idle': (store) => store.expired(ALL),
}

const deletions: ContractTests<SessionStore> = Object.fromEntries(
  Object.entries(LISTS).flatMap(([when, list]) => [
    [
      `may be asked to forget each session while ${when}`,
      async (store: SessionStore) => {
        const numbers = Array.from({ length: 30 }, (_, n) => n + 1)
        for (const n of numbers) await store.create(newRecord(n))
        const seen: string[] = []
        for await (const { uploadId } of list(store)) {
          seen.push(uploadId)
          await store.delete(uploadId)
        }
        assert.deepEqual(seen.sort(), keys(...numbers).sort())
        assert.deepEqual(await keysOf(store.list()), [])
      },
    ],
    [
      `sessions may come, change and go while ${when}, and those that stay are listed once`,
      async (store: SessionStore) => {
        for (let n = 1; n <= 20; n++) await store.create(newRecord(n))
        const seen: string[] = []
        for await (const { uploadId } of list(store)) {
          seen.push(uploadId)
          if (seen.length > 1) continue
          for (const goes of keys(1, 5, 9, 13, 17)) await store.delete(goes)
          await store.create(newRecord(99))
          await store.update(newRecord(2).uploadId, () => ({ total: 5 }))
        }
        for (const stays of keys(2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20)) {
          assert.equal(seen.filter((key) => key === stays).length, 1, `${stays} is listed once.`)
        }
      },
    ],
  ]),
)

/** How sessions are found. */
export const LISTING: ContractTests<SessionStore> = {
  'lists all sessions': async (store) => {
    assert.deepEqual(await keysOf(store.list()), [])
    for (const n of [1, 2, 3]) await store.create(newRecord(n, { state: n === 2 ? 'closed' : 'receiving' }))
    assert.deepEqual(await keysOf(store.list()), keys(1, 2, 3))
  },

  'lists the sessions that were idle since before a time': async (store) => {
    for (const n of [1, 2, 3, 4]) await store.create(newRecord(n, { lastActivity: n * 1000 }))
    await store.update(newRecord(1).uploadId, () => ({ lastActivity: 9000 }))
    assert.deepEqual(await keysOf(store.expired(3000)), keys(2))
    assert.deepEqual(await keysOf(store.expired(3001)), keys(2, 3))
    assert.deepEqual(await keysOf(store.expired(0)), [])
  },

  ...deletions,
}
