import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  FileSessionStore,
  MemorySessionStore,
  MemoryStorage,
  type SessionRecord,
  type StagedUpload,
} from 'express-bits-upload'
import { listSessions } from '../../lib/sessions/list-sessions.js'
import { ProgressBook } from '../../lib/sessions/progress.js'
import { SessionLimit } from '../../lib/sessions/session-limit.js'
import { Sessions } from '../../lib/sessions/sessions.js'
import { newRecord } from '../../lib/testing/new-record.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

/** A store in memory that counts the records it returns. */
class CountingStore extends MemorySessionStore {
  listings = 0
  given = 0

  override async *list(options?: { openOnly?: boolean }): AsyncIterable<SessionRecord> {
    this.listings++
    for await (const record of super.list(options)) {
      this.given++
      yield record
    }
  }
}

const owner = (user: string) => ({ destination: 'a.bin', path: '/uploads/a.bin', user })

const cpu = async (work: () => Promise<void>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

describe('Create-Session under a limit', () => {
  test('reads no session of other users', async () => {
    const store = new CountingStore()
    const sessions = new Sessions({ store, timeout: 1e9, now: Date.now })
    for (let n = 0; n < 1000; n++) await sessions.create(owner(`user ${n % 100}`), 50)
    await expect(
      Promise.all(Array.from({ length: 60 }, () => sessions.create(owner('ann'), 50))),
    ).rejects.toThrow('The user ann has 50 open sessions; 50 are allowed.')
    expect(store.listings).toBe(0)
  })

  test('costs the same with 100,000 sessions of other users as with none', async () => {
    const create = async (others: number): Promise<number> => {
      const store = new MemorySessionStore()
      for (let n = 0; n < others; n++) await store.create(newRecord(n, { user: `user ${n % 5000}` }))
      const sessions = new Sessions({ store, timeout: 1e9, now: Date.now })
      const createAndCancel = async () => {
        for (let n = 0; n < 500; n++) {
          const { record } = await sessions.create(owner('ann'), 50)
          await store.delete(record.uploadId)
        }
      }
      await createAndCancel()
      // Other tests and the garbage collector only add to the time, so the minimum is the best estimate.
      let quickest = Number.POSITIVE_INFINITY
      for (let n = 0; n < 8; n++) quickest = Math.min(quickest, await cpu(createAndCancel))
      return quickest
    }
    const alone = await create(0)
    expect(await create(100_000)).toBeLessThan(5 * alone)
  })

  test('reads no record of other users from disk', async () => {
    const root = await directory()
    const store = new FileSessionStore({ directory: root })
    await store.open()
    // Reading any of these would fail.
    for (let n = 0; n < 50; n++) await mkdir(join(root, 'BITS-Sessions', `${newRecord(n).uploadId}.json`))
    const sessions = new Sessions({ store, timeout: 1e9, now: Date.now })
    for (let n = 0; n < 3; n++) await sessions.create(owner('ann'), 3)
    await expect(sessions.create(owner('ann'), 3)).rejects.toThrow('The user ann has 3 open sessions')
  })

  test('lists a store that cannot count for at most a twentieth of the time', async () => {
    let now = 0
    let listings = 0
    const store = {
      lock: async () => async () => {},
      async *list(): AsyncIterable<SessionRecord> {
        listings++
        now += 1000
        yield newRecord(1)
      },
    }
    const limit = new SessionLimit(store, () => now)
    for (; now < 200_000; now += 10) await limit.claim(`session ${now}`, 'ann', 1e9)
    expect(listings).toBeGreaterThan(5)
    expect(listings).toBeLessThanOrEqual(10)
  })
})

describe('the list of sessions', () => {
  test('asks the storage only for unknown ones, eight at a time', async () => {
    let asked = 0
    let running = 0
    let most = 0
    class SlowStorage extends MemoryStorage {
      override async received(_upload: StagedUpload): Promise<number> {
        asked++
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running--
        return 7
      }
    }
    const store = new MemorySessionStore()
    for (let n = 0; n < 100; n++) await store.create(newRecord(n, n < 60 ? { received: 5 } : {}))
    for (let n = 100; n < 120; n++) await store.create(newRecord(n, { state: 'published', total: 9 }))
    for (let n = 120; n < 140; n++) await store.create(newRecord(n, { state: 'closed' }))
    const sessions = new Sessions({ store, timeout: 1e9, now: Date.now })
    for (let n = 60; n < 70; n++) sessions.progress.note(newRecord(n).uploadId, 6)
    sessions.progress.note(newRecord(0).uploadId, 3)
    const infos = await listSessions(sessions, new SlowStorage())
    expect(infos).toHaveLength(120)
    const counts = new Map<number, number>()
    for (const { received } of infos) counts.set(received, (counts.get(received) ?? 0) + 1)
    expect(Object.fromEntries(counts)).toEqual({ 5: 60, 6: 10, 7: 30, 9: 20 })
    expect([asked, most]).toEqual([30, 8])
  })

  test('lets other requests have their turn', async () => {
    const store = new MemorySessionStore()
    for (let n = 0; n < 2_000; n++) await store.create(newRecord(n, { received: 5 }))
    const sessions = new Sessions({ store, timeout: 1e9, now: Date.now })
    let turns = 0
    let isListed = false
    const count = () => {
      turns++
      if (!isListed) setImmediate(count)
    }
    setImmediate(count)
    expect(await listSessions(sessions, new MemoryStorage())).toHaveLength(2_000)
    isListed = true
    expect(turns).toBeGreaterThanOrEqual(4)
  })

  test('shows the progress of a session in another process, once that process has recorded it', async () => {
    let now = 0
    const store = Object.assign(new MemorySessionStore(), { lock: async () => async () => {} })
    const [one, other] = [1, 2].map(() => new Sessions({ store, timeout: 1e9, now: () => now }))
    if (!one || !other) throw new Error('There are no sessions.')
    const { record } = await one.create(owner('ann'))
    now += 9_999
    await one.touch(record, 1000)
    expect((await store.get(record.uploadId))?.received).toBeUndefined()
    now += 1
    await one.touch(record, 1000)
    expect((await listSessions(other, new MemoryStorage()))[0]?.received).toBe(1000)
  })
})

describe('the progress of sessions', () => {
  test('is discarded if a session has continued elsewhere', async () => {
    let now = 0
    const progress = new ProgressBook(() => now)
    progress.note('old', 1)
    now += 9 * 60_000
    progress.note('new', 1)
    progress.forgetOld()
    expect(progress.size).toBe(2)
    now += 2 * 60_000
    progress.forgetOld()
    expect(progress.get('old')).toBeUndefined()
    expect(progress.get('new')).toBeDefined()
  })

  test('is kept for a bounded number of sessions', () => {
    const progress = new ProgressBook(() => 0)
    for (let n = 0; n < 30_000; n++) progress.note(String(n), n)
    expect(progress.size).toBe(10_000)
    expect(progress.get('29999')).toMatchObject({ received: 29_999 })
  })
})
