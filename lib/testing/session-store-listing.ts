import assert from 'node:assert/strict'
import type { SessionRecord, SessionState, SessionStore } from '../../types/session.js'
import { assertAnswer } from './assertions.js'
import { newRecord } from './new-record.js'
import type { ContractClauses, ContractTests } from './runner.js'
import { assertRecord } from './session-store-keeping.js'

const ALL = Number.MAX_SAFE_INTEGER

const LISTED_STATES: readonly SessionState[] = ['receiving', 'published', 'closed', 'cancelled', 'closed']

async function keysOf(records: AsyncIterable<SessionRecord>): Promise<string[]> {
  const keys: string[] = []
  for await (const { uploadId } of records) keys.push(uploadId)
  return keys.sort()
}

const keys = (...numbers: number[]): string[] => numbers.map((n) => newRecord(n).uploadId)

/** The ways to list all sessions of a state. */
const LISTS: Readonly<
  Record<
    string,
    { state: SessionState; list: (store: SessionStore) => AsyncIterable<SessionRecord> | undefined }
  >
> = {
  'list() runs': { state: 'receiving', list: (store) => store.list() },
  'list({ openOnly: true }) runs': { state: 'published', list: (store) => store.list({ openOnly: true }) },
  'expired() runs': { state: 'receiving', list: (store) => store.expired(ALL) },
  'ended() runs': { state: 'closed', list: (store) => store.ended?.(ALL) },
}

const deletions: ContractTests<SessionStore> = Object.fromEntries(
  Object.entries(LISTS).flatMap(([when, { state, list }]) => [
    [
      `delete may be called for each session while ${when}`,
      async (store: SessionStore) => {
        const numbers = Array.from({ length: 30 }, (_, n) => n + 1)
        for (const n of numbers) await createInState(store, n, state)
        const seen: string[] = []
        for await (const { uploadId } of list(store) ?? []) {
          seen.push(uploadId)
          await store.delete(uploadId)
        }
        if (list(store)) assertAnswer('The list', seen.sort(), keys(...numbers).sort())
        else for (const n of numbers) await store.delete(newRecord(n).uploadId)
        assertAnswer('list()', await keysOf(store.list()), [])
      },
    ],
    [
      `sessions may be created, changed and deleted while ${when}, and those that stay are listed once`,
      async (store: SessionStore) => {
        for (let n = 1; n <= 20; n++) await createInState(store, n, state)
        const seen: string[] = []
        for await (const { uploadId } of list(store) ?? []) {
          seen.push(uploadId)
          if (seen.length > 1) continue
          for (const goes of keys(1, 5, 9, 13, 17)) await store.delete(goes)
          await store.create(newRecord(99))
          await store.update(newRecord(2).uploadId, () => ({ total: 5 }))
        }
        if (!list(store)) return
        for (const stays of keys(2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20)) {
          const times = seen.filter((key) => key === stays).length
          assert.equal(times, 1, `${stays} is listed ${times} times instead of once.`)
        }
      },
    ],
  ]),
)

/** Created open and then changed, as sessions are. */
async function createInState(store: SessionStore, n: number, state: SessionState): Promise<void> {
  await store.create(newRecord(n))
  if (state !== 'receiving') await store.update(newRecord(n).uploadId, () => ({ state }))
}

/** Listing sessions. */
export const LISTING: ContractClauses<SessionStore> = {
  list: {
    'lists all sessions': async (store) => {
      assertAnswer('list()', await keysOf(store.list()), [])
      for (const n of [1, 2, 3]) await store.create(newRecord(n, { state: n === 2 ? 'closed' : 'receiving' }))
      assertAnswer('list()', await keysOf(store.list()), keys(1, 2, 3))
    },

    'with openOnly, no open session is left out': async (store) => {
      for (const [n, state] of LISTED_STATES.entries()) await createInState(store, n, state)
      const seen = await keysOf(store.list({ openOnly: true }))
      for (const [n, state] of LISTED_STATES.entries()) {
        if (state === 'receiving' || state === 'published')
          assert.ok(seen.includes(newRecord(n).uploadId), state)
      }
      assertAnswer('list()', await keysOf(store.list()), keys(...LISTED_STATES.keys()))
    },
  },

  expired: {
    'lists the sessions without activity since a time': async (store) => {
      for (const n of [1, 2, 3, 4]) await store.create(newRecord(n, { lastActivity: n * 1000 }))
      await store.update(newRecord(1).uploadId, () => ({ lastActivity: 9000 }))
      assertAnswer('expired()', await keysOf(store.expired(3000)), keys(2))
      assertAnswer('expired()', await keysOf(store.expired(3001)), keys(2, 3))
      assertAnswer('expired()', await keysOf(store.expired(0)), [])
    },
  },

  ended: {
    'lists the closed and cancelled sessions without activity since a time': async (store) => {
      if (!store.ended) return
      for (const [n, state] of LISTED_STATES.entries()) await createInState(store, n, state)
      const ended = LISTED_STATES.flatMap((state, n) =>
        state === 'closed' || state === 'cancelled' ? [n] : [],
      )
      assertAnswer('ended()', await keysOf(store.ended(ALL)), keys(...ended))
      const [first = 0] = ended
      await store.update(newRecord(first).uploadId, () => ({ lastActivity: ALL }))
      assertAnswer('ended()', await keysOf(store.ended(ALL)), keys(...ended.slice(1)))
      assertAnswer('ended()', await keysOf(store.ended(0)), [])
    },

    'ended sessions are found, changed, deleted and expire like others': async (store) => {
      await createInState(store, 1, 'closed')
      const { uploadId } = newRecord(1)
      assertRecord(await store.get(uploadId), newRecord(1, { state: 'closed' }))
      const changed = newRecord(1, { state: 'closed', lastActivity: 5 })
      assertRecord(await store.update(uploadId, () => ({ lastActivity: 5 })), changed)
      assertRecord(await store.get(uploadId), changed)
      assertAnswer('expired()', await keysOf(store.expired(6)), [uploadId])
      await store.delete(uploadId)
      assertAnswer('get()', await store.get(uploadId), undefined)
      assertAnswer('list()', await keysOf(store.list()), [])
    },
  },

  'list-while-changing': {
    ...deletions,
  },
}
