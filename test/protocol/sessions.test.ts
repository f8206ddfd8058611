import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  type BitsUploadOptions,
  MemorySessionStore,
  MemoryStorage,
  type SessionInfo,
} from 'express-bits-upload'
import { Sessions } from '../../lib/sessions/sessions.js'
import { gate } from '../delivery/support.js'
import { bytes } from '../support/bytes.js'
import { Clock } from '../support/clock.js'
import { expectAck } from '../support/expect-ack.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, fragment, openSession, packet } from '../support/raw.js'
import type { Running } from '../support/serve.js'

const { start, connect, directory, afterwards } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)
const MINUTE = 60

describe('a restart of the server', () => {
  test('continues an upload where it stopped', async () => {
    const root = await directory()
    const before = await start({ directory: root })
    const first = await connect(before)
    const id = await openSession(first, PATH)
    await first.exchange(fragment(PATH, id, FILE, 0, 1999))
    await before.stop()

    const after = await start({ directory: root })
    expect(await after.bits.sessions()).toMatchObject([
      { destination: 'file.bin', received: 2000, total: 3000 },
    ])
    const second = await connect(after)
    const gap = await second.exchange(fragment(PATH, id, FILE, 2500))
    expectAck(gap, { status: 416, session: id, offset: 2000 })
    const ack = await second.exchange(fragment(PATH, id, FILE, 1500))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expectAck(await second.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
  })

  test('between the last fragment and its repetition delivers nothing twice', async () => {
    const root = await directory()
    const before = await start({ directory: root })
    const first = await connect(before)
    const id = await openSession(first, PATH)
    await first.exchange(fragment(PATH, id, FILE))
    await before.stop()

    const after = await start({ directory: root })
    const uploaded: unknown[] = []
    after.bits.on('uploaded', (file) => uploaded.push(file))
    const second = await connect(after)
    const ack = await second.exchange(fragment(PATH, id, FILE, 2000))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expectAck(await second.exchange(closeSession(PATH, id)), { status: 200, session: id })
    expect(uploaded).toEqual([])
  })

  test('D10: between a Close-Session and its repetition does not change the 200', async () => {
    const root = await directory()
    const before = await start({ directory: root })
    const first = await connect(before)
    const closed = await openSession(first, PATH)
    await first.exchange(fragment(PATH, closed, FILE))
    await first.exchange(closeSession(PATH, closed))
    const cancelled = await openSession(first, '/uploads/other')
    await first.exchange(cancelSession('/uploads/other', cancelled))
    await before.stop()

    const second = await connect(await start({ directory: root }))
    expectAck(await second.exchange(closeSession(PATH, closed)), { status: 200, session: closed })
    const again = await second.exchange(cancelSession('/uploads/other', cancelled))
    expectAck(again, { status: 200, session: cancelled })
  })
})

describe('expiry', () => {
  /** Timers are real and fast, and the test controls Date: an hour passes at once, and a sweep follows soon. */
  const SETTINGS = { sessionTimeout: 60 * MINUTE, cleanupInterval: 0.02 }

  function holdTime(): Clock {
    const clock = new Clock()
    afterwards(() => clock.release())
    return clock
  }

  async function startWatched(options: BitsUploadOptions): Promise<Running & { expired: SessionInfo[] }> {
    const running = await start(options)
    const expired: SessionInfo[] = []
    running.bits.on('expired', (session) => expired.push(session))
    return { ...running, expired }
  }

  test('MC-BUP 3.2.6.1: an idle session is removed, with its staged data', async () => {
    const clock = holdTime()
    const storage = new MemoryStorage()
    const running = await startWatched({ storage, ...SETTINGS })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    clock.advance(64 * MINUTE)
    await until(() => running.expired.length > 0)
    expect(running.expired).toMatchObject([{ destination: 'file.bin', received: 1000, total: 3000 }])
    expect(storage.bytes).toBe(0)
    expect(await running.bits.sessions()).toEqual([])
    const ack = await connection.exchange(fragment(PATH, id, FILE, 1000))
    expectAck(ack, { status: 500, error: '0x8020001F', session: id, offset: 0 })
    await severalSweeps()
    expect(running.expired).toHaveLength(1)
  })

  test('does not touch a published file whose session was never closed', async () => {
    const clock = holdTime()
    const storage = new MemoryStorage()
    const running = await startWatched({ storage, ...SETTINGS })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE))
    clock.advance(64 * MINUTE)
    await until(async () => (await running.bits.sessions()).length === 0)
    // Nothing was lost, so there is no event.
    expect(running.expired).toEqual([])
    expect(storage.files.get('file.bin')).toEqual(FILE)
    expect((await connection.exchange(closeSession(PATH, id))).status).toBe(500)
  })

  const successes: [what: string, last: number, again: (id: string) => Buffer][] = [
    ['a Fragment', 999, (id) => fragment(PATH, id, FILE, 1000, 1999)],
    ['a Fragment that is held already', 999, (id) => fragment(PATH, id, FILE, 0, 999)],
    ['a Fragment of a published file', 2999, (id) => fragment(PATH, id, FILE, 2000)],
  ]
  test.each(successes)('D24: %s counts as activity', async (_, last, again) => {
    const clock = holdTime()
    const running = await startWatched({ storage: new MemoryStorage(), ...SETTINGS })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, last))
    clock.advance(40 * MINUTE)
    expect((await connection.exchange(again(id))).status).toBe(200)
    clock.advance(40 * MINUTE)
    await severalSweeps()
    expect(await running.bits.sessions()).toHaveLength(1)
    clock.advance(40 * MINUTE)
    await until(async () => (await running.bits.sessions()).length === 0)
  })

  test('a fragment writes only its bytes if activity was recorded within the last hour', async () => {
    const clock = holdTime()
    const root = await directory()
    const connection = await connect(await start({ directory: root }))
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 499))
    const staging = join(root, 'BITS-Sessions')
    const names = await sessionFiles(dirname(staging))
    expect(names.map((name) => name.replace(/^[0-9a-f]+/, ''))).toEqual(['.part'])
    const record = () => readFile(join(staging, 'sessions.journal'), 'utf8')
    const noted = await record()
    for (const [first, last] of [
      [500, 999],
      [1000, 1499],
      [1000, 1499],
    ] as const) {
      clock.advance(19 * MINUTE)
      expect((await connection.exchange(fragment(PATH, id, FILE, first, last))).status).toBe(200)
      expect(await record()).toBe(noted)
    }
    expect(await sessionFiles(dirname(staging))).toEqual(names)
    clock.advance(3 * MINUTE)
    await connection.exchange(fragment(PATH, id, FILE, 1500, 1999))
    expect(await record()).not.toBe(noted)
  })

  test('D24: refused packets do not count, and neither does a Ping', async () => {
    const clock = holdTime()
    const running = await startWatched({ storage: new MemoryStorage(), ...SETTINGS })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    clock.advance(40 * MINUTE)
    expect((await connection.exchange(fragment(PATH, id, FILE, 2000))).status).toBe(416)
    expect((await connection.exchange(fragment(PATH, id, bytes(2999), 1000))).status).toBe(400)
    await connection.exchange(packet('Ping', PATH, { 'BITS-Session-Id': id }))
    clock.advance(24 * MINUTE)
    await until(() => running.expired.length > 0)
  })

  test('waits for a fragment that is in progress', async () => {
    const clock = holdTime()
    const storage = new MemoryStorage()
    const running = await startWatched({ storage, ...SETTINGS })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const whole = fragment(PATH, id, FILE)
    connection.write(whole.subarray(0, -1000))
    await until(() => storage.bytes === 2000)
    clock.advance(200 * MINUTE)
    await severalSweeps()
    const ack = await connection.exchange(whole.subarray(-1000))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expect(running.expired).toEqual([])
  })

  test('keeps a session that continues after the sweep has found it idle', async () => {
    const clock = holdTime()
    const found = gate()
    const resume = gate()
    class SlowStore extends MemorySessionStore {
      override async *expired(before: number) {
        for await (const record of super.expired(before)) {
          found.open()
          await resume.opened
          yield record
        }
      }
    }
    const storage = new MemoryStorage()
    const running = await startWatched({ storage, sessionStore: new SlowStore(), ...SETTINGS })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    clock.advance(64 * MINUTE)
    await found.opened
    await connection.exchange(fragment(PATH, id, FILE, 1000, 1999))
    resume.open()
    await severalSweeps()
    const ack = await connection.exchange(fragment(PATH, id, FILE, 2000))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expect(running.expired).toEqual([])
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('D10: a closed session is remembered for ten minutes, and then its record is removed', async () => {
    const clock = holdTime()
    const root = await directory()
    const running = await startWatched({ directory: root, cleanupInterval: 0.02 })
    const connection = await connect(running)
    const closed = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, closed, FILE))
    await connection.exchange(closeSession(PATH, closed))
    const cancelled = await openSession(connection, '/uploads/other')
    await connection.exchange(cancelSession('/uploads/other', cancelled))
    clock.advance(9 * MINUTE)
    await severalSweeps()
    expect((await connection.exchange(closeSession(PATH, closed))).status).toBe(200)
    expect((await connection.exchange(cancelSession('/uploads/other', cancelled))).status).toBe(200)
    clock.advance(2 * MINUTE)
    await until(async () => (await connection.exchange(closeSession(PATH, closed))).status === 500)
    const late = await connection.exchange(closeSession(PATH, closed))
    expectAck(late, { status: 500, error: '0x8020001F', session: closed })
    expect(running.expired).toEqual([])
    expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
  })

  test('D10: ended sessions are removed without a sweep over all sessions', async () => {
    let now = 0
    const store = new MemorySessionStore()
    const sessions = new Sessions({ store, timeout: 1000 * 60 * MINUTE, now: () => now })
    const { record } = await sessions.create({ destination: 'a', path: '/a', user: undefined })
    await sessions.end(record.uploadId, 'closed')
    now = 1000 * 10 * MINUTE - 1
    await sessions.forgetEnded()
    expect(await store.get(record.uploadId)).toMatchObject({ state: 'closed' })
    now++
    await sessions.forgetEnded()
    expect(await store.get(record.uploadId)).toBeUndefined()
  })

  test('is also checked at startup', async () => {
    const clock = holdTime()
    const root = await directory()
    const before = await start({ directory: root })
    const connection = await connect(before)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    await before.stop()
    clock.advance(15 * 24 * 60 * MINUTE)
    const after = await startWatched({ directory: root })
    await until(() => after.expired.length > 0)
    expect(after.expired).toMatchObject([{ destination: 'file.bin', received: 1000 }])
    expect(await sessionFiles(root)).toEqual([])
  })

  test('orphaned staged data is removed when it is old, and nothing else is', async () => {
    const root = await directory()
    const before = await start({ directory: root })
    const connection = await connect(before)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 999))
    await before.stop()
    const staging = join(root, 'BITS-Sessions')
    const [owned = ''] = (await sessionFiles(dirname(staging))).filter((name) => name.endsWith('.part'))
    const orphan = join(staging, `${'0'.repeat(32)}.part`)
    const young = join(staging, `${'1'.repeat(32)}.part`)
    const strange = join(staging, 'notes.txt')
    const published = join(root, 'published.bin')
    for (const path of [orphan, young, strange, published]) await writeFile(path, 'data')
    const old = new Date(Date.now() - 15 * 24 * 60 * 60 * 1000)
    for (const path of [orphan, strange, published, join(staging, owned)]) await utimes(path, old, old)
    await start({ directory: root })
    await until(async () => !(await exists(orphan)))
    await severalSweeps()
    for (const path of [young, strange, published, join(staging, owned)])
      expect(await exists(path)).toBe(true)
  })
})

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(5)
}

/** At an interval of 20 ms. */
const severalSweeps = () => pause(120)

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
