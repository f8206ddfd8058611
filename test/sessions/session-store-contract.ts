import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { SessionRecord, SessionStore } from 'express-bits-upload'

/** A store under test. */
export interface StoreUnderTest {
  readonly store: SessionStore
  /** Called after each test. */
  remove(): Promise<void>
}

/** A record as the first Create-Session makes it; keys differ in their last digits. */
export const newRecord = (n: number, changes: Partial<SessionRecord> = {}): SessionRecord => ({
  key: n.toString(16).padStart(32, 'a'),
  destination: 'a b/ä "漢"\n.bin',
  url: '/uploads/a b/ä "漢"\n.bin',
  user: 'DOMAIN\\user',
  state: 'receiving',
  createdAt: 1_700_000_000_000,
  lastActivity: 1_700_000_000_000 + n,
  ...changes,
})

/** What every session store has to do: the contract of `types/session.ts`. */
export function describeSessionStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a session store`, () => {
    let store: SessionStore
    let subject: StoreUnderTest

    beforeEach(async () => {
      subject = await make()
      store = subject.store
      await store.open?.()
    })

    afterEach(async () => {
      await store.close?.()
      await subject.remove()
    })

    const keysOf = async (records: AsyncIterable<SessionRecord>): Promise<string[]> => {
      const keys: string[] = []
      for await (const { key } of records) keys.push(key)
      return keys.sort()
    }

    test('gives back what it was given, whatever characters there are in it', async () => {
      const record = newRecord(1, { total: 2 ** 53 - 1, replyUrl: 'BITS-Sessions\\x', refused: true })
      await store.create(record)
      expect(await store.get(record.key)).toEqual(record)
    })

    test('keeps a session without a user, a total and a reply', async () => {
      const { user, ...rest } = newRecord(1)
      expect(user).toBeDefined()
      await store.create(rest)
      expect(await store.get(rest.key)).toEqual(rest)
    })

    test('has nothing under a key that nobody created', async () => {
      expect(await store.get(newRecord(1).key)).toBeUndefined()
      expect(await store.update(newRecord(1).key, () => ({ total: 1 }))).toBeUndefined()
      expect(await store.get(newRecord(1).key)).toBeUndefined()
    })

    test('refuses a key that is taken, and keeps what is there', async () => {
      await store.create(newRecord(1))
      await expect(store.create(newRecord(1, { total: 5 }))).rejects.toThrow()
      expect(await store.get(newRecord(1).key)).toEqual(newRecord(1))
    })

    test('of creations that race for a key one wins', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) => store.create(newRecord(1, { total: n }))),
      )
      const winner = results.findIndex(({ status }) => status === 'fulfilled')
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect((await store.get(newRecord(1).key))?.total).toBe(winner)
    })

    test('changes what it is told to, and answers with the whole', async () => {
      await store.create(newRecord(1))
      const changed = await store.update(newRecord(1).key, (current) => {
        expect(current).toEqual(newRecord(1))
        return { state: 'published', total: 7, lastActivity: 8 }
      })
      const expected = newRecord(1, { state: 'published', total: 7, lastActivity: 8 })
      expect(changed).toEqual(expected)
      expect(await store.get(newRecord(1).key)).toEqual(expected)
    })

    test('leaves a session alone when the change says so', async () => {
      await store.create(newRecord(1))
      expect(await store.update(newRecord(1).key, () => undefined)).toBeUndefined()
      expect(await store.get(newRecord(1).key)).toEqual(newRecord(1))
    })

    test('a change that throws changes nothing, and the next one works', async () => {
      await store.create(newRecord(1))
      const failing = store.update(newRecord(1).key, () => {
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      expect(await store.update(newRecord(1).key, () => ({ total: 1 }))).toMatchObject({ total: 1 })
    })

    test('loses none of many changes at once', async () => {
      const records = [newRecord(1, { total: 0 }), newRecord(2, { total: 0 })]
      for (const record of records) await store.create(record)
      await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          store.update(records[n % 2]?.key ?? '', ({ total = 0 }) => ({ total: total + 1 })),
        ),
      )
      for (const { key } of records) expect((await store.get(key))?.total).toBe(50)
    })

    test('whoever reads while changes are made sees a whole session', async () => {
      const { key } = newRecord(1)
      await store.create(newRecord(1, { total: 0, replyUrl: '' }))
      let changing = true
      const reader = (async () => {
        while (changing) {
          const { total = 0, replyUrl } = (await store.get(key)) ?? {}
          expect(replyUrl).toBe('x'.repeat(total * 100))
          // A store that reads from memory and writes to a disk would never get to write.
          await setImmediate()
        }
      })()
      for (let n = 1; n <= 50; n++) {
        await store.update(key, () => ({ total: n, replyUrl: 'x'.repeat(n * 100) }))
      }
      changing = false
      await reader
    })

    test('forgets a session, and may be told so twice', async () => {
      await store.create(newRecord(1))
      await store.create(newRecord(2))
      await store.delete(newRecord(1).key)
      await store.delete(newRecord(1).key)
      expect(await store.get(newRecord(1).key)).toBeUndefined()
      expect(await store.update(newRecord(1).key, () => ({ total: 1 }))).toBeUndefined()
      expect(await store.get(newRecord(2).key)).toEqual(newRecord(2))
    })

    test('a change never brings back a session that is forgotten at the same time', async () => {
      for (let n = 1; n <= 20; n++) {
        const record = newRecord(n)
        await store.create(record)
        await Promise.all([
          store.update(record.key, () => ({ total: 1 })),
          store.delete(record.key),
          store.update(record.key, () => ({ total: 2 })),
        ])
        expect(await store.get(record.key)).toBeUndefined()
      }
    })

    test('lists all sessions', async () => {
      expect(await keysOf(store.list())).toEqual([])
      for (const n of [1, 2, 3]) await store.create(newRecord(n, { state: n === 2 ? 'closed' : 'receiving' }))
      expect(await keysOf(store.list())).toEqual([1, 2, 3].map((n) => newRecord(n).key))
    })

    test('lists the sessions that were idle since before a time', async () => {
      for (const n of [1, 2, 3, 4]) await store.create(newRecord(n, { lastActivity: n * 1000 }))
      await store.update(newRecord(1).key, () => ({ lastActivity: 9000 }))
      expect(await keysOf(store.expired(3000))).toEqual([newRecord(2).key])
      expect(await keysOf(store.expired(3001))).toEqual([newRecord(2).key, newRecord(3).key])
      expect(await keysOf(store.expired(0))).toEqual([])
    })

    test('may be asked to forget sessions while it lists them', async () => {
      for (let n = 1; n <= 30; n++) await store.create(newRecord(n))
      for await (const { key } of store.expired(Number.MAX_SAFE_INTEGER)) await store.delete(key)
      expect(await keysOf(store.list())).toEqual([])
    })
  })
}
