import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, MemoryStorage, type SessionInfo } from 'express-bits-upload'
import { pause, upload } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { sessionFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, fragment, openSession } from '../support/raw.js'
import type { Running } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'

const { start, connect, directory } = fixtures()

const PATH = '/uploads/file.bin'
const FILE = contentOf(1000)
const GONE = { status: 500, error: '0x8020001F', offset: 0 }

const startSweeping = async (options: BitsUploadOptions) => {
  const running = await start({ sessionTimeout: 0.3, cleanupInterval: 0.05, ...options })
  const expired: SessionInfo[] = []
  running.bits.on('expired', (session) => expired.push(session))
  return { running, expired }
}

const untilGone = async ({ bits }: Running) => {
  while ((await bits.sessions()).length > 0) await pause(10)
  // A sweep removes the record of a session, then its data, and then emits the event. This waits for the end of it.
  await bits.sweep()
}

describe('the clean-up', () => {
  test('removes a session that was idle for longer than its timeout, and emits an event', async () => {
    const storage = new MemoryStorage()
    const { running, expired } = await startSweeping({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 499))
    await untilGone(running)
    expect(expired).toEqual([
      expect.objectContaining({ destination: 'file.bin', received: 500, total: 1000 }),
    ])
    expect(storage.bytes).toBe(0)
    expectAck(await connection.exchange(fragment(PATH, id, FILE, 500)), { ...GONE, session: id })
  })

  test('continues if something cannot be removed, and reports it and what has expired', async () => {
    const root = await directory()
    const staging = join(root, 'BITS-Sessions')
    const long = new Date(Date.now() - 24 * 60 * 60 * 1000)
    const ids = Array.from({ length: 12 }, (_, n) => n.toString(16).padStart(32, '0'))
    for (const [n, id] of ids.entries()) {
      const path = join(staging, `${id}.part`)
      // A directory, which cannot be removed like a file.
      await (n === 5
        ? mkdir(path, { recursive: true })
        : mkdir(staging, { recursive: true }).then(() => writeFile(path, 'x')))
      await utimes(path, long, long)
    }
    const errors: Error[] = []
    const { running } = await startSweeping({ directory: root, cleanupInterval: 1000 })
    running.bits.on('error', (error) => void errors.push(error))
    while ((await sessionFiles(dirname(staging))).length > 1) await pause(10)
    expect(await sessionFiles(dirname(staging))).toEqual([`${ids[5]}.part`])

    const storage = new MemoryStorage()
    const { running: other, expired } = await startSweeping({ storage, logger: running.logger })
    const connection = await connect(other)
    for (let n = 0; n < 5; n++) await openSession(connection, `/uploads/${n}`)
    let discards = 0
    storage.discard = async () => {
      if (++discards === 2) throw new Error('The array is degraded.')
    }
    while (expired.length < 5) await pause(10)
    expect(await other.bits.sessions()).toEqual([])
    expect(running.logger.lines.filter((line) => line.includes('The array is degraded.'))).toHaveLength(1)
  })

  test('leaves a session alone that continues, however slowly', async () => {
    const storage = new MemoryStorage()
    const { running, expired } = await startSweeping({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    for (let n = 0; n < 10; n++) {
      await pause(80)
      const ack = await connection.exchange(fragment(PATH, id, FILE, n * 100, n * 100 + 99))
      expectAck(ack, { status: 200, session: id, offset: n * 100 + 100 })
    }
    expect(expired).toEqual([])
    expect(storage.files.get('file.bin')).toEqual(FILE)
  })

  test('leaves a session alone whose fragment takes longer than the timeout', async () => {
    const storage = new MemoryStorage()
    const { running, expired } = await startSweeping({ storage })
    const connection = await connect(running)
    const id = await openSession(connection, PATH)
    const packet = fragment(PATH, id, FILE)
    connection.write(packet.subarray(0, -500))
    await pause(600)
    const ack = await connection.exchange(packet.subarray(-500))
    expectAck(ack, { status: 200, session: id, offset: 1000 })
    expect(expired).toEqual([])
  })

  test('leaves a session alone whose application takes longer than the timeout', async () => {
    const { running, expired } = await startSweeping({
      storage: new MemoryStorage(),
      onUpload: () => pause(600),
    })
    const { id, ack } = await upload(await connect(running), PATH, FILE)
    expectAck(ack, { status: 200, session: id, offset: 1000 })
    expect(expired).toEqual([])
  })

  test('leaves published files alone, even of sessions that were never closed', async () => {
    const storage = new MemoryStorage()
    const { running, expired } = await startSweeping({ storage, onUpload: () => 'reply' })
    await upload(await connect(running), PATH, FILE)
    await untilGone(running)
    // The upload is complete, so its session expires without an event.
    expect(expired).toEqual([])
    expect(storage.files.get('file.bin')).toEqual(FILE)
    expect(storage.bytes).toBe(FILE.length)
  })

  test('runs at startup, for what earlier runs left behind', async () => {
    const root = await directory()
    const first = await start({ directory: root })
    const connection = await connect(first)
    const id = await openSession(connection, PATH)
    await connection.exchange(fragment(PATH, id, FILE, 0, 499))
    await first.stop()
    await pause(400)
    const { running, expired } = await startSweeping({ directory: root, cleanupInterval: 3600 })
    await untilGone(running)
    expect(expired).toHaveLength(1)
    expect(await sessionFiles(root)).toEqual([])
  })

  test('removes at startup what a process left behind that died right after a publication', async () => {
    const root = await directory()
    const running = await start({ directory: root })
    await upload(await connect(running), PATH, FILE)
    const replied = await start({ directory: root, onUpload: () => 'reply' })
    await upload(await connect(replied), '/uploads/replied.bin', FILE)
    const keys = (await running.bits.sessions()).map(({ uploadId }) => uploadId)
    await Promise.all([running.stop(), replied.stop()])
    const folder = join(root, 'BITS-Sessions')
    for (const key of keys) await writeFile(join(folder, `${key}.part`), FILE)
    const again = await start({ directory: root })
    const left = async () => (await readdir(folder)).filter((name) => name.endsWith('.part')).length
    while ((await left()) > 1) await pause(10)
    expect((await again.bits.sessions()).map(({ state }) => state)).toEqual(['published', 'published'])
    // The session with a reply keeps it until the session ends.
    expect((await readdir(folder)).filter((name) => name.endsWith('.reply'))).toHaveLength(1)
  })

  test('removes old orphaned staged data, and nothing else', async () => {
    const root = await directory()
    const first = await start({ directory: root })
    await openSession(await connect(first), PATH)
    await first.stop()
    const folder = join(root, 'BITS-Sessions')
    const orphan = '0123456789abcdef0123456789abcdef'
    const old = new Date(Date.now() - 3_600_000)
    for (const name of [`${orphan}.part`, `${orphan}.reply`, `${orphan}.reply.tmp`, 'README.txt']) {
      await writeFile(join(folder, name), 'x')
      await utimes(join(folder, name), old, old)
    }
    await writeFile(join(folder, 'fedcba9876543210fedcba9876543210.part'), 'young')
    await start({ directory: root, sessionTimeout: 1800 })
    const left = async () => (await readdir(folder)).filter((name) => name.startsWith(orphan))
    while ((await left()).length > 0) await pause(10)
    const names = (await readdir(folder)).map((name) => name.replace(/^[0-9a-f]{32}/, ''))
    expect(names.sort()).toEqual(['.part', '.part', 'README.txt', 'lease', 'sessions.journal'])
  })

  test('is reported if it fails, and tried again', async () => {
    class Failing extends MemoryStorage {
      failing = true
      override async *staged() {
        if (this.failing) throw new Error('the disk is gone')
        yield* super.staged()
      }
    }
    const storage = new Failing()
    const running = await start({ storage, sessionTimeout: 0.1, cleanupInterval: 0.02 })
    const errors: string[] = []
    running.bits.on('error', (error) => errors.push(error.message))
    while (errors.length < 3) await pause(10)
    expect(new Set(errors)).toEqual(new Set(['the disk is gone']))
    storage.failing = false
    await openSession(await connect(running), PATH)
    await untilGone(running)
  })

  test('forgets closed sessions after ten minutes, and not before (D10)', async () => {
    const { running } = await startSweeping({ storage: new MemoryStorage() })
    const connection = await connect(running)
    const { id } = await upload(connection, PATH, FILE)
    await connection.exchange(closeSession(PATH, id))
    await pause(600)
    expectAck(await connection.exchange(closeSession(PATH, id)), { status: 200, session: id })
  })
})

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '60', 25 * 24 * 3600])(
  'cleanupInterval cannot be %p',
  async (value) => {
    const options = { storage: new MemoryStorage(), cleanupInterval: value } as BitsUploadOptions
    await expect(start(options)).rejects.toThrow(/the option cleanupInterval is/)
  },
)
