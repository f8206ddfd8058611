import { describe, expect, test } from '@jest/globals'
import {
  type BitsUploadOptions,
  MemorySessionStore,
  MemoryStorage,
  type SessionRecord,
} from 'express-bits-upload'
import { SessionLimit } from '../../lib/sessions/session-limit.js'
import { gate, pause } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import {
  cancelSession,
  closeSession,
  createSession,
  fragment,
  openSession,
  PROTOCOL,
  packet,
  type RawAck,
} from '../support/raw.js'
import type { Running } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)
const REFUSED = { status: 503, error: '0x801901F7' }

const perHeader: BitsUploadOptions['user'] = (req) => req.get('X-User')

const create = (user?: string) =>
  packet('Create-Session', PATH, { 'BITS-Supported-Protocols': PROTOCOL, 'X-User': user })

/** Statuses of this many consecutive Create-Sessions. */
async function createMany(running: Running, count: number, user?: string): Promise<number[]> {
  const connection = await connect(running)
  const statuses: number[] = []
  for (let n = 0; n < count; n++) statuses.push((await connection.exchange(create(user))).status)
  return statuses
}

const times = (count: number, status: number): number[] => Array<number>(count).fill(status)

describe('the sessions of a user', () => {
  test('are limited to 50 by default, counted separately for each user', async () => {
    const running = await start({ storage: new MemoryStorage(), user: perHeader })
    expect(await createMany(running, 51, 'ann')).toEqual([...times(50, 200), 503])
    expect(await createMany(running, 1, 'bob')).toEqual([200])
  })

  test('of anonymous clients have no limit by default', async () => {
    const running = await start({ storage: new MemoryStorage(), user: perHeader })
    expect(await createMany(running, 60)).toEqual(times(60, 200))
  })

  test('of anonymous clients are counted like one user’s when a limit is given', async () => {
    const running = await start({ storage: new MemoryStorage(), user: perHeader, maxSessionsPerUser: 3 })
    expect(await createMany(running, 4)).toEqual([...times(3, 200), 503])
    expect(await createMany(running, 4, 'ann')).toEqual([...times(3, 200), 503])
  })

  test('have no limit with Infinity', async () => {
    const maxSessionsPerUser = Number.POSITIVE_INFINITY
    const running = await start({ storage: new MemoryStorage(), user: perHeader, maxSessionsPerUser })
    expect(await createMany(running, 60, 'ann')).toEqual(times(60, 200))
  })

  test('beyond the limit are refused with 503 + 0x801901F7, and leave nothing behind', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage, maxSessionsPerUser: 1 })
    const connection = await connect(running)
    await openSession(connection, PATH)
    const ack = await connection.exchange(createSession(PATH))
    expectAck(ack, REFUSED)
    expect(ack.header('BITS-Protocol')).toBeUndefined()
    expect(await running.bits.sessions()).toHaveLength(1)
    expect(running.logger.lines.join()).toContain('1 are allowed')
  })

  test.each([
    ['Close-Session', closeSession],
    ['Cancel-Session', cancelSession],
  ])('make room with %s', async (_name, end) => {
    const running = await start({ storage: new MemoryStorage(), maxSessionsPerUser: 1, overwrite: true })
    const connection = await connect(running)
    for (let n = 0; n < 3; n++) {
      const id = await openSession(connection, PATH)
      expectAck(await connection.exchange(createSession(PATH)), REFUSED)
      await connection.exchange(end(PATH, id))
    }
  })

  test('make room with Close-Session of a finished upload', async () => {
    const running = await start({ storage: new MemoryStorage(), maxSessionsPerUser: 1, overwrite: true })
    const connection = await connect(running)
    for (let n = 0; n < 3; n++) {
      const id = await openSession(connection, PATH)
      await connection.exchange(fragment(PATH, id, FILE))
      expectAck(await connection.exchange(createSession(PATH)), REFUSED)
      await connection.exchange(closeSession(PATH, id))
    }
  })

  test('make room when they expire', async () => {
    const running = await start({
      storage: new MemoryStorage(),
      maxSessionsPerUser: 1,
      sessionTimeout: 0.1,
      cleanupInterval: 0.05,
    })
    const connection = await connect(running)
    await openSession(connection, PATH)
    expectAck(await connection.exchange(createSession(PATH)), REFUSED)
    while ((await running.bits.sessions()).length > 0) await pause(10)
    await openSession(connection, PATH)
  })

  test('make room when their storage fails to begin', async () => {
    class Failing extends MemoryStorage {
      failures = 2
      override async begin(upload: Parameters<MemoryStorage['begin']>[0]) {
        if (this.failures-- > 0) throw new Error('not now')
        return super.begin(upload)
      }
    }
    const running = await start({ storage: new Failing(), maxSessionsPerUser: 1 })
    expect(await createMany(running, 4)).toEqual([500, 500, 200, 503])
  })

  test('do not exceed the limit when many are created at once', async () => {
    for (const place of [{ storage: new MemoryStorage() }, { directory: await directory() }]) {
      const running = await start({ ...place, maxSessionsPerUser: 7 })
      const connections = await Promise.all(Array.from({ length: 40 }, () => connect(running)))
      const acks = await Promise.all(
        connections.map((connection) => connection.exchange(createSession(PATH))),
      )
      const statuses = acks.map(({ status }: RawAck) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(7)
      expect(statuses.filter((status) => status === 503)).toHaveLength(33)
      expect(await running.bits.sessions()).toHaveLength(7)
    }
  })

  test('are also counted after a restart', async () => {
    const root = await directory()
    const first = await start({ directory: root, maxSessionsPerUser: 2 })
    expect(await createMany(first, 3)).toEqual([200, 200, 503])
    await first.stop()
    const second = await start({ directory: root, maxSessionsPerUser: 2 })
    expect(await createMany(second, 1)).toEqual([503])
  })

  test('that another process ended make room within a second', async () => {
    const store = new MemorySessionStore()
    let now = 0
    const limit = new SessionLimit(store, () => now)
    for (const key of ['a', 'b']) {
      await limit.claim(key, 'ann', 2)
      await store.create(record(key))
    }
    // The other process closes one, and forgets the other.
    await store.update('a', () => ({ state: 'closed' }))
    now += 1001
    await limit.claim('c', 'ann', 2)
    await store.create(record('c'))
    await expect(limit.claim('d', 'ann', 2)).rejects.toThrow('2 open sessions')
    await store.delete('b')
    now += 1001
    await limit.claim('d', 'ann', 2)
  })

  test('that another process created are counted within ten seconds', async () => {
    const store = new MemorySessionStore()
    let now = 0
    const limit = new SessionLimit(store, () => now)
    await limit.claim('a', 'ann', 2)
    await store.create(record('a'))
    for (const key of ['b', 'c']) await store.create(record(key))
    now += 10_001
    await expect(limit.claim('d', 'ann', 2)).rejects.toThrow('3 open sessions')
  })

  test('that another process created are counted immediately if the store is shared, without listing', async () => {
    const store = Object.assign(new MemorySessionStore(), { lock: async () => async () => {} })
    let now = 0
    const limit = new SessionLimit(store, () => now)
    await limit.claim('a', 'ann', 2)
    await store.create(record('a'))
    for (const key of ['b', 'c']) await store.create(record(key))
    now += 1
    await expect(limit.claim('d', 'ann', 2)).rejects.toThrow('3 open sessions')
  })

  test('that end while the store is being listed are no longer counted', async () => {
    const store = new MemorySessionStore()
    let now = 0
    const limit = new SessionLimit(store, () => now)
    for (const key of ['a', 'b']) {
      await limit.claim(key, 'ann', 2)
      await store.create(record(key))
    }
    const { opened, open } = gate()
    const list = store.list.bind(store)
    store.list = async function* () {
      const records: SessionRecord[] = []
      for await (const found of list()) records.push(found)
      await opened
      yield* records
    }
    now += 1001
    const third = limit.claim('c', 'ann', 2)
    for (const key of ['a', 'b']) {
      await store.update(key, () => ({ state: 'cancelled' }))
      limit.free(key)
    }
    open()
    await third
    await limit.claim('d', 'ann', 2)
    await expect(limit.claim('e', 'ann', 2)).rejects.toThrow('2 open sessions')
  })
})

const record = (key: string): SessionRecord => ({
  uploadId: key,
  destination: 'file.bin',
  path: PATH,
  user: 'ann',
  state: 'receiving',
  createdAt: 0,
  lastActivity: 0,
})

test.each([0, -1, 1.5, Number.NaN, '5', null])('maxSessionsPerUser cannot be %p', async (value) => {
  const options = { storage: new MemoryStorage(), maxSessionsPerUser: value } as BitsUploadOptions
  await expect(start(options)).rejects.toThrow(/the option maxSessionsPerUser is .*whole number.*or Infinity/)
})
