import { once } from 'node:events'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileSessionStore, FileStorage } from 'express-bits-upload'
import { lockFile } from '../../lib/session-stores/file-lock.js'
import { PreemptedError, SessionLocks } from '../../lib/sessions/session-lock.js'
import { gate, pause } from '../delivery/support.js'
import { expectAck } from '../support/expect-ack.js'
import { fixtures } from '../support/fixtures.js'
import { fragment, openSession } from '../support/raw.js'

const { directory, start, connect } = fixtures()

const KEY = '0123456789abcdef0123456789abcdef'
const never = { timeout: 0, onReleaseRequested: () => {} }

describe('the lock of a session, on a directory that processes share,', () => {
  test('is held by one process at a time', async () => {
    const path = join(await directory(), KEY)
    const held = await lockFile(path, never)
    expect(await lockFile(path, never)).toBeUndefined()
    await held?.release()
    const again = await lockFile(path, never)
    expect(again).toBeDefined()
    await again?.release()
  })

  test('is waited for until the timeout', async () => {
    const path = join(await directory(), KEY)
    const held = await lockFile(path, never)
    const start = Date.now()
    expect(await lockFile(path, { ...never, timeout: 200 })).toBeUndefined()
    expect(Date.now() - start).toBeGreaterThanOrEqual(200)
    const waiting = lockFile(path, { ...never, timeout: 5000 })
    await pause(100)
    await held?.release()
    await (await waiting)?.release()
  })

  test('is released by its holder within about a second after another process starts to wait', async () => {
    const path = join(await directory(), KEY)
    let wanted = () => {}
    const requested = new Promise<void>((resolve) => {
      wanted = resolve
    })
    const held = await lockFile(path, { timeout: 0, onReleaseRequested: wanted })
    const start = Date.now()
    const waiting = lockFile(path, { ...never, timeout: 5000 })
    await requested
    expect(Date.now() - start).toBeLessThan(3000)
    await held?.release()
    await (await waiting)?.release()
  })

  test('is not released for a process that waited for an earlier holder', async () => {
    const path = join(await directory(), KEY)
    await writeFile(`${path}.wanted`, '')
    let count = 0
    const held = await lockFile(path, { timeout: 0, onReleaseRequested: () => count++ })
    await pause(1200)
    expect(count).toBe(0)
    await held?.release()
  })

  test('leaves nothing behind', async () => {
    const root = await directory()
    const path = join(root, KEY)
    const held = await lockFile(path, never)
    const waiting = lockFile(path, { ...never, timeout: 5000 })
    await pause(100)
    await held?.release()
    await (await waiting)?.release()
    expect(await readdir(root)).toEqual([])
  })

  test('lets the sweep skip a session that another process is handling', async () => {
    const { mine, theirs } = await twoProcesses()
    const lease = await mine.acquire(KEY)
    expect(await theirs.tryAcquire(KEY)).toBeUndefined()
    await lease.release()
    const free = await theirs.tryAcquire(KEY)
    expect(free).toBeDefined()
    await free?.release()
  })

  test('makes only the newest request of a process wait', async () => {
    const { mine, theirs } = await twoProcesses()
    const lease = await mine.acquire(KEY)
    const older = theirs.acquire(KEY)
    await pause(100)
    const newer = theirs.acquire(KEY)
    // It is rejected now, not only when the lock becomes free.
    await expect(older).rejects.toThrow('A newer request')
    await lease.release()
    await (await newer).release()
  })

  test('is not released for a process that no longer waits', async () => {
    const { root, mine, theirs } = await twoProcesses()
    const lease = await mine.acquire(KEY)
    const client = new AbortController()
    const gone = theirs.acquire(KEY, { disconnected: client.signal })
    while ((await notes(root)).length === 0) await pause(5)
    client.abort()
    await expect(gone).rejects.toBeInstanceOf(PreemptedError)
    expect(await notes(root)).toEqual([])
    // The holder has checked for requests in the meantime.
    await pause(1200)
    expect(lease.signal.aborted).toBe(false)
    await lease.release()
    await (await theirs.acquire(KEY)).release()
  })

  test('is still released for others if one waiting process stops', async () => {
    const { root, mine, theirs } = await twoProcesses()
    const lease = await mine.acquire(KEY)
    const others = new SessionLocks(new FileSessionStore({ directory: root, shared: true }))
    const waiting = others.acquire(KEY)
    const client = new AbortController()
    const gone = theirs.acquire(KEY, { disconnected: client.signal })
    await pause(100)
    client.abort()
    await expect(gone).rejects.toBeInstanceOf(PreemptedError)
    if (!lease.signal.aborted) await once(lease.signal, 'abort')
    await lease.release()
    await (await waiting).release()
  })

  test('leaves no note after waiting without success', async () => {
    const root = await directory()
    const path = join(root, KEY)
    const held = await lockFile(path, never)
    expect(await lockFile(path, { ...never, timeout: 100 })).toBeUndefined()
    expect(await readdir(root)).toEqual([`${KEY}.lock`])
    await held?.release()
  })

  test('is not kept forever if a note cannot be removed', async () => {
    const path = join(await directory(), KEY)
    await mkdir(`${path}.wanted/occupied`, { recursive: true })
    await expect(lockFile(path, never)).rejects.toMatchObject({ syscall: 'unlink' })
    await rm(`${path}.wanted`, { recursive: true })
    const held = await lockFile(path, never)
    expect(held).toBeDefined()
    await held?.release()
  })

  /** The locks of two processes that share a directory. */
  async function twoProcesses() {
    const root = await directory()
    const store = () => new FileSessionStore({ directory: root, shared: true })
    const [one, two] = [store(), store()]
    await one.open()
    return { root, mine: new SessionLocks(one), theirs: new SessionLocks(two) }
  }
})

/** The files by which waiting requests announce themselves. */
async function notes(directory: string): Promise<string[]> {
  return (await readdir(join(directory, 'BITS-Sessions'))).filter((name) => name.endsWith('.wanted'))
}

test('a server stops waiting for a session of another one when the client disconnects', async () => {
  const root = await directory()
  const delivery = gate()
  const serve = () =>
    start({
      storage: new FileStorage({ directory: root }),
      sessionStore: new FileSessionStore({ directory: root, shared: true }),
      onUpload: async () => {
        await delivery.opened
        return 'reply'
      },
    })
  const [one, two, three] = await Promise.all([serve(), serve(), serve()])
  const file = Buffer.from('hello')
  const first = await connect(one)
  const id = await openSession(first, '/uploads/a.bin')
  first.write(fragment('/uploads/a.bin', id, file))
  while ((await one.bits.sessions())[0]?.received !== file.length) await pause(5)
  const impatient = await connect(two)
  impatient.write(fragment('/uploads/a.bin', id, file))
  while ((await notes(root)).length === 0) await pause(5)
  impatient.reset()
  while ((await notes(root)).length > 0) await pause(5)
  await pause(200)
  expect(await notes(root)).toEqual([])

  const patient = (await connect(three)).exchange(fragment('/uploads/a.bin', id, file))
  while ((await notes(root)).length === 0) await pause(5)
  delivery.open()
  expectAck(await patient, { status: 200, session: id, offset: file.length })
  expectAck(await first.ack(), { status: 200, session: id, offset: file.length })
})
