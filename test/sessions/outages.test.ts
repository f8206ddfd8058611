import { describe, expect, test } from '@jest/globals'
import {
  BitsError,
  type LockOptions,
  MemorySessionStore,
  MemoryStorage,
  type SessionRecord,
} from 'express-bits-upload'
import { Housekeeping } from '../../lib/sessions/housekeeping.js'
import { Sessions } from '../../lib/sessions/sessions.js'
import { pause } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession } from '../support/raw.js'

const { start, connect } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = Buffer.alloc(3000, 7)
const AWAY = { status: 503, error: '0x801901F7' }
const away = () => new BitsError({ status: 503 }, 'The database is away.')

/** A store that can be unavailable. */
class OutageStore extends MemorySessionStore {
  isAway = false
  calls = 0

  override async get(uploadId: string): Promise<SessionRecord | undefined> {
    this.calls++
    if (this.isAway) throw away()
    return super.get(uploadId)
  }
}

describe('a session store that is unavailable', () => {
  test('leaves the offset out of Acks, is called once per packet, and causes the event error', async () => {
    const sessionStore = new OutageStore()
    const running = await start({ storage: new MemoryStorage(), sessionStore })
    const errors: string[] = []
    running.bits.on('error', (error) => void errors.push(error.message))
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    sessionStore.isAway = true
    sessionStore.calls = 0
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 1000)), { ...AWAY, session: id })
    expect(sessionStore.calls).toBe(1)
    expectAck(await connection.exchange(closeSession(PATH, id)), { ...AWAY, session: id })
    expect(errors).toEqual(['The database is away.', 'The database is away.'])
    sessionStore.isAway = false
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 1000)), {
      status: 200,
      session: id,
      offset: 3000,
    })
  })

  test('does not keep a session whose creation was answered with an error', async () => {
    class Slow extends MemorySessionStore {
      override async create(record: SessionRecord): Promise<void> {
        await super.create(record)
        throw away()
      }
    }
    const sessionStore = new Slow()
    for (const maxSessionsPerUser of [1, Number.POSITIVE_INFINITY]) {
      const running = await start({ storage: new MemoryStorage(), sessionStore, maxSessionsPerUser })
      for (let n = 0; n < 3; n++) {
        expectAck(await (await connect(running)).exchange(createSession(PATH)), AWAY)
      }
      expect(await running.bits.sessions()).toEqual([])
    }
  })
})

test('an unavailable storage causes the event error, and an application that refuses does not', async () => {
  class Away extends MemoryStorage {
    override async has(): Promise<boolean> {
      throw away()
    }
  }
  for (const [options, count] of [
    [{ storage: new Away() }, 1],
    [
      {
        storage: new MemoryStorage(),
        authorize: () => {
          throw away()
        },
      },
      0,
    ],
  ] as const) {
    const running = await start(options)
    const errors: Error[] = []
    running.bits.on('error', (error) => void errors.push(error))
    expectAck(await (await connect(running)).exchange(createSession(PATH)), AWAY)
    expect(errors).toHaveLength(count)
  }
})

test('onUpload gets a signal that aborts when the lock of its session is lost, and its result does not count', async () => {
  const requests: LockOptions['onReleaseRequested'][] = []
  const sessionStore = Object.assign(new MemorySessionStore(), {
    lock: async (_key: string, { onReleaseRequested }: LockOptions) => {
      requests.push(onReleaseRequested)
      return async () => {}
    },
  })
  const storage = new MemoryStorage()
  let aborted = false
  const running = await start({
    storage,
    sessionStore,
    onUpload: async ({ signal }) => {
      expect(signal.aborted).toBe(false)
      requests.at(-1)?.('wanted')
      expect(signal.aborted).toBe(false)
      requests.at(-1)?.('lost')
      aborted = signal.aborted
    },
  })
  const connection = await connect(running)
  const id = await openSession(connection, PATH)
  const ack = await connection.exchange(fragment(PATH, id, FILE))
  expect(aborted).toBe(true)
  expectAck(ack, { ...AWAY, session: id, offset: 3000 })
  expect(storage.files.size).toBe(0)
})

test('processes that share a store sweep one at a time, and not all of them at startup', async () => {
  let isHeld = false
  let sweeps = 0
  const keys: string[] = []
  const store = Object.assign(new MemorySessionStore(), {
    lock: async (key: string) => {
      keys.push(key)
      if (isHeld) return undefined
      isHeld = true
      return () => {
        isHeld = false
      }
    },
    async *expired(): AsyncIterable<SessionRecord> {
      sweeps++
      await pause(300)
      yield* []
    },
  })
  const housekeeping = Array.from(
    { length: 4 },
    () =>
      new Housekeeping({
        sessions: new Sessions({ store, timeout: 1e9, now: Date.now }),
        storage: new MemoryStorage(),
        interval: 100,
        clear: false,
        onExpired: () => {},
        onError: (error) => {
          throw error
        },
      }),
  )
  // Counts only the sweeps of the interval: the first ones run within a minute.
  expect(keys).toEqual([])
  while (keys.length < 8) await pause(10)
  expect(new Set(keys)).toEqual(new Set(['sweep']))
  expect(sweeps).toBeLessThan(keys.length)
  for (const one of housekeeping) await one.close()
})
