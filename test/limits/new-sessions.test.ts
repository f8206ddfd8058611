import { describe, expect, test } from '@jest/globals'
import { MemorySessionStore, MemoryStorage } from 'express-bits-upload'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { createSession, fragment, openSession } from '../support/raw.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect } = fixtures()

const PATH = '/uploads/file.bin'
const REFUSED = { status: 503, error: '0x801901F7' }

class CountingStorage extends MemoryStorage {
  asked = 0
  override has(destination: string) {
    this.asked += 1
    return super.has(destination)
  }
}

class CountingStore extends MemorySessionStore {
  asked = 0
  override create(...given: Parameters<MemorySessionStore['create']>) {
    this.asked += 1
    return super.create(...given)
  }
}

/** A storage whose `has` blocks until it is released. */
class WaitingStorage extends MemoryStorage {
  waiting = 0
  release = () => {}
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve
  })
  override async has(destination: string) {
    this.waiting += 1
    await this.#released
    return super.has(destination)
  }
}

describe('maxNewSessions', () => {
  test('perSecond: one more gets 503 before the storage and the store are used, and uploads in progress continue', async () => {
    const storage = new CountingStorage()
    const sessionStore = new CountingStore()
    const running = await start({ storage, sessionStore, maxNewSessions: { perSecond: 2 } })
    const connection = await connect(running)
    const file = contentOf(1000)
    const id = await openSession(connection, PATH)
    let created = 1
    let refused = 0
    for (let n = 0; n < 500 && refused === 0; n++) {
      const ack = await connection.exchange(createSession(`/uploads/${n}.bin`))
      if (ack.status === 200) created += 1
      else {
        expectAck(ack, REFUSED)
        refused += 1
      }
    }
    expect(refused).toBe(1)
    expect([storage.asked, sessionStore.asked]).toEqual([created, created])
    expectAck(await connection.exchange(fragment(PATH, id, file)), { status: 200, session: id, offset: 1000 })
  })

  test('perSecond: sessions are created again later', async () => {
    const running = await start({ storage: new MemoryStorage(), maxNewSessions: { perSecond: 2 } })
    const connection = await connect(running)
    const statuses = new Set<number>()
    let status = 200
    for (let n = 0; n < 500 && status === 200; n++) {
      status = (await connection.exchange(createSession(PATH))).status
      statuses.add(status)
    }
    for (let n = 0; n < 500 && status !== 200; n++) {
      status = (await connection.exchange(createSession(PATH))).status
      if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect([...statuses]).toEqual([200, 503])
    expect(status).toBe(200)
  })

  test('concurrent: one more gets 503 while others are being created, even by other tenants', async () => {
    const storage = new WaitingStorage()
    const other = new CountingStorage()
    const running = await start({
      storage,
      maxNewSessions: { concurrent: 2 },
      perRequest: (req) => (req.url.includes('other') ? { storage: other } : undefined),
    })
    const first = await connect(running)
    const second = await connect(running)
    const waiting = [first.exchange(createSession(PATH)), second.exchange(createSession(PATH))]
    while (storage.waiting < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    const third = await connect(running)
    expectAck(await third.exchange(createSession(PATH)), REFUSED)
    expectAck(await third.exchange(createSession('/uploads/other.bin')), REFUSED)
    expect([storage.waiting, other.asked]).toEqual([2, 0])
    storage.release()
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200])
    expect((await third.exchange(createSession(PATH))).status).toBe(200)
  })

  test('concurrent: a session that cannot be created frees its place', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage, maxNewSessions: { concurrent: 1 } })
    const connection = await connect(running)
    storage.has = () => {
      throw new Error('The disk is gone.')
    }
    for (let n = 0; n < 3; n++) expect((await connection.exchange(createSession(PATH))).status).toBe(500)
  })
})
