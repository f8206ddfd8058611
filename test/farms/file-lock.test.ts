import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileSessionStore } from 'express-bits-upload'
import { lockFile } from '../../lib/sessions/file-lock.js'
import { SessionLocks } from '../../lib/sessions/session-lock.js'
import { pause } from '../delivery/support.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

const KEY = '0123456789abcdef0123456789abcdef'
const never = { wait: 0, onWanted: () => {} }

describe('the lock of a session, on a directory that processes share,', () => {
  test('is held by one at a time', async () => {
    const path = join(await directory(), KEY)
    const unlock = await lockFile(path, never)
    await expect(lockFile(path, never)).rejects.toThrow('Another process has held')
    await unlock()
    const again = await lockFile(path, never)
    await again()
  })

  test('is waited for as long as is said', async () => {
    const path = join(await directory(), KEY)
    const unlock = await lockFile(path, never)
    const start = Date.now()
    await expect(lockFile(path, { ...never, wait: 200 })).rejects.toThrow('for 200 ms')
    expect(Date.now() - start).toBeGreaterThanOrEqual(200)
    const waiting = lockFile(path, { ...never, wait: 5000 })
    await pause(100)
    await unlock()
    await (await waiting)()
  })

  test('is given up by its holder within about a second of somebody’s waiting', async () => {
    const path = join(await directory(), KEY)
    let wanted = () => {}
    const told = new Promise<void>((resolve) => {
      wanted = resolve
    })
    const unlock = await lockFile(path, { wait: 0, onWanted: wanted })
    const start = Date.now()
    const waiting = lockFile(path, { ...never, wait: 5000 })
    await told
    expect(Date.now() - start).toBeLessThan(3000)
    await unlock()
    await (await waiting)()
  })

  test('is not given up for somebody who waited for an earlier holder', async () => {
    const path = join(await directory(), KEY)
    await writeFile(`${path}.wanted`, '')
    let count = 0
    const unlock = await lockFile(path, { wait: 0, onWanted: () => count++ })
    await pause(1200)
    expect(count).toBe(0)
    await unlock()
  })

  test('leaves nothing behind', async () => {
    const root = await directory()
    const path = join(root, KEY)
    const unlock = await lockFile(path, never)
    const waiting = lockFile(path, { ...never, wait: 5000 })
    await pause(100)
    await unlock()
    await (await waiting)()
    expect(await readdir(root)).toEqual([])
  })

  test('lets housekeeping pass by a session that another process works on', async () => {
    const root = await directory()
    const store = () => new FileSessionStore({ directory: root, shared: true })
    const [one, two] = [store(), store()]
    await one.open()
    const [mine, theirs] = [new SessionLocks(one), new SessionLocks(two)]
    const lease = await mine.acquire(KEY)
    expect(await theirs.tryAcquire(KEY)).toBeUndefined()
    await lease.release()
    const free = await theirs.tryAcquire(KEY)
    expect(free).toBeDefined()
    await free?.release()
  })

  test('is one that the newest request of a process waits for, and older ones do not', async () => {
    const root = await directory()
    const store = () => new FileSessionStore({ directory: root, shared: true })
    const [one, two] = [store(), store()]
    await one.open()
    const [mine, theirs] = [new SessionLocks(one), new SessionLocks(two)]
    const lease = await mine.acquire(KEY)
    const older = theirs.acquire(KEY)
    const newer = theirs.acquire(KEY)
    await pause(100)
    await lease.release()
    await expect(older).rejects.toThrow('A newer request')
    await (await newer).release()
  })
})
