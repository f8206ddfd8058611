import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { MemoryStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { cancelSession, closeSession, fragment, openSession } from '../support/raw.js'
import { untilHeld } from '../support/serve.js'
import { SlowStorage } from '../support/storages.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = bytes(3000)

describe('D31: packets of one session that are pipelined on one connection', () => {
  test.each([
    ['in one write', (packets: Buffer[]) => [Buffer.concat(packets)]],
    ['in a write each', (packets: Buffer[]) => packets],
  ])('are answered in order if they arrive %s', async (_how, split) => {
    const storage = new MemoryStorage()
    const connection = await connect(await start({ storage }))
    const id = await openSession(connection, PATH)
    const packets = [
      fragment(PATH, id, FILE, 0, 999),
      fragment(PATH, id, FILE, 1000, 1999),
      fragment(PATH, id, FILE, 2000),
      closeSession(PATH, id),
    ]
    for (const bytes of split(packets)) connection.write(bytes)
    for (const offset of [1000, 2000, 3000]) {
      expectAck(await connection.ack(), { status: 200, session: id, offset })
    }
    expectAck(await connection.ack(), { status: 200, session: id })
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('are all preempted by a packet on another connection', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage })
    const hanging = await connect(running)
    const id = await openSession(hanging, PATH)
    hanging.write(
      Buffer.concat([fragment(PATH, id, FILE, 0, 999), fragment(PATH, id, FILE, 1000).subarray(0, -500)]),
    )
    expectAck(await hanging.ack(), { status: 200, session: id, offset: 1000 })
    await untilHeld(running, 2500)
    const newer = await connect(running)
    expectAck(await newer.exchange(fragment(PATH, id, FILE, 2500)), {
      status: 200,
      session: id,
      offset: 3000,
    })
    await hanging.closed()
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })
})

describe('D31: a newer request of a session preempts an older one that hangs', () => {
  test('and the bytes of the older one are kept', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage })
    const hanging = await connect(running)
    const id = await openSession(hanging, PATH)
    hanging.write(fragment(PATH, id, FILE).subarray(0, -1500))
    await untilHeld(running, 1500)
    const newer = await connect(running)
    const ack = await newer.exchange(fragment(PATH, id, FILE, 1500))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expect(storage.files.get('file.bin')).toEqual(FILE)
    await hanging.closed()
  })

  test('with files, while bytes are being written to disk', async () => {
    const root = await directory()
    const running = await start({ directory: root })
    const sockets: Socket[] = []
    running.server.on('connection', (socket) => sockets.push(socket))
    const hanging = await connect(running)
    const id = await openSession(hanging, PATH)
    const before = sockets[0]?.bytesRead ?? 0
    const part = fragment(PATH, id, FILE).subarray(0, -1500)
    hanging.write(part)
    while ((sockets[0]?.bytesRead ?? 0) < before + part.length) await pause(5)
    await pause(50)
    const newer = await connect(running)
    const ack = await newer.exchange(fragment(PATH, id, FILE, 1500))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
    expect(await readFile(join(root, 'file.bin'))).toEqual(FILE)
    await hanging.closed()
  })

  test('also to close or cancel the session', async () => {
    for (const end of [closeSession, cancelSession]) {
      const storage = new MemoryStorage()
      const running = await start({ storage })
      const hanging = await connect(running)
      const id = await openSession(hanging, PATH)
      hanging.write(fragment(PATH, id, FILE).subarray(0, -1500))
      await untilHeld(running, 1500)
      const newer = await connect(running)
      expectAck(await newer.exchange(end(PATH, id)), { status: 200, session: id })
      await hanging.closed()
      expect(storage.bytes).toBe(0)
    }
  })

  test('and a request of another session does not preempt it', async () => {
    const storage = new MemoryStorage()
    const running = await start({ storage })
    const slow = await connect(running)
    const id = await openSession(slow, PATH)
    const whole = fragment(PATH, id, FILE)
    slow.write(whole.subarray(0, -1500))
    await untilHeld(running, 1500)
    const other = await connect(running)
    const otherId = await openSession(other, '/uploads/other')
    expect((await other.exchange(fragment('/uploads/other', otherId, FILE))).status).toBe(200)
    const ack = await slow.exchange(whole.subarray(-1500))
    expectAck(ack, { status: 200, session: id, offset: 3000 })
  })
})

describe('D31: while a delivery runs', () => {
  /**
   * `packets(n)` resolves shortly after the n-th packet in total was admitted, when it has found what it has to wait
   * for.
   */
  async function startCounting(storage: SlowStorage) {
    let count = 0
    const running = await start({ storage, user: () => void count++ })
    const packets = async (n: number) => {
      while (count < n) await pause(5)
      await pause(50)
    }
    return { running, packets }
  }

  test('a repeated last fragment shares it', async () => {
    const storage = new SlowStorage()
    const { running, packets } = await startCounting(storage)
    const uploaded: unknown[] = []
    running.bits.on('uploaded', (file) => uploaded.push(file))
    const first = await connect(running)
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await storage.asked()
    const second = await connect(running)
    second.write(fragment(PATH, id, FILE, 2000))
    await packets(3)
    storage.go()
    expectAck(await second.ack(), { status: 200, session: id, offset: 3000 })
    expectAck(await first.ack(), { status: 200, session: id, offset: 3000 })
    expect(storage.published).toBe(1)
    expect(uploaded).toHaveLength(1)
  })

  test('a last fragment repeated after the first connection died shares it', async () => {
    const storage = new SlowStorage()
    const { running, packets } = await startCounting(storage)
    const first = await connect(running)
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await storage.asked()
    first.reset()
    const second = await connect(running)
    second.write(fragment(PATH, id, FILE))
    await packets(3)
    storage.go()
    expectAck(await second.ack(), { status: 200, session: id, offset: 3000 })
    expect(storage.published).toBe(1)
  })

  test('Close-Session waits for it', async () => {
    const storage = new SlowStorage()
    const { running, packets } = await startCounting(storage)
    const first = await connect(running)
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await storage.asked()
    const second = await connect(running)
    const closing = second.exchange(closeSession(PATH, id))
    expect(await Promise.race([closing, packets(3)])).toBeUndefined()
    storage.go()
    expectAck(await closing, { status: 200, session: id })
    expectAck(await first.ack(), { status: 200, session: id, offset: 3000 })
    expect(storage.files.get('file.bin')).toEqual(FILE)
    expect(storage.published).toBe(1)
  })

  test('of the requests that wait for it, the newest is served, and the others end without an Ack', async () => {
    const storage = new SlowStorage()
    const { running, packets } = await startCounting(storage)
    const first = await connect(running)
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await storage.asked()
    const second = await connect(running)
    second.write(closeSession(PATH, id))
    await packets(3)
    const third = await connect(running)
    third.write(cancelSession(PATH, id))
    await packets(4)
    storage.go()
    expectAck(await third.ack(), { status: 200, session: id })
    await expect(second.ack()).rejects.toThrow('closed')
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('a failed delivery is reported to all requests that share it, and can be tried again', async () => {
    const storage = new SlowStorage()
    const { running, packets } = await startCounting(storage)
    const first = await connect(running)
    const id = await openSession(first, PATH)
    first.write(fragment(PATH, id, FILE))
    await storage.asked()
    const second = await connect(running)
    second.write(fragment(PATH, id, FILE))
    await packets(3)
    storage.files.set('file.bin', Buffer.from('mine'))
    storage.go()
    for (const connection of [first, second]) {
      const ack = await connection.ack()
      expectAck(ack, { status: 403, error: '0x80070005', session: id, offset: 3000 })
    }
    storage.files.clear()
    second.write(fragment(PATH, id, FILE))
    await storage.asked()
    storage.go()
    expectAck(await second.ack(), { status: 200, session: id, offset: 3000 })
    expect(storage.published).toBe(2)
  })
})

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))
