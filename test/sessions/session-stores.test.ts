import { appendFile, mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileSessionStore, MemorySessionStore, type SessionStore } from 'express-bits-upload'
import { sessionStoreContract } from 'express-bits-upload/testing'
import { newRecord } from '../../lib/testing/new-record.js'
import { sessionFiles } from '../support/files.js'
import { temporaryDirectory } from '../support/serve.js'

const runner = { describe, test }

/** Where other machines may use a directory, each session is a file, as in a shared directory. */
const NETWORK_DRIVE = { statfs: async () => ({ type: 0x6969 }) }

async function openOnNetworkDrive(directory: string): Promise<FileSessionStore> {
  const store = new FileSessionStore({ directory }, NETWORK_DRIVE)
  await store.open()
  return store
}

sessionStoreContract(
  async () => {
    const directory = await temporaryDirectory()
    return { store: new FileSessionStore({ directory: directory.path }), remove: directory.remove }
  },
  { runner, name: 'FileSessionStore as a session store' },
)

sessionStoreContract(
  async () => {
    const directory = await temporaryDirectory()
    const store = new FileSessionStore({ directory: directory.path, shared: true })
    return { store, remove: directory.remove }
  },
  { runner, name: 'a shared FileSessionStore as a session store' },
)

sessionStoreContract(
  async () => {
    const directory = await temporaryDirectory()
    const store = new FileSessionStore({ directory: directory.path }, NETWORK_DRIVE)
    return { store, remove: directory.remove }
  },
  { runner, name: 'a FileSessionStore on a network drive as a session store' },
)

sessionStoreContract(() => ({ store: new MemorySessionStore() }), {
  runner,
  name: 'MemorySessionStore as a session store',
})

describe('FileSessionStore with a file for each session', () => {
  async function withStore(use: (store: SessionStore, folder: string) => Promise<void>): Promise<void> {
    const directory = await temporaryDirectory()
    try {
      const store = await openOnNetworkDrive(directory.path)
      await use(store, join(directory.path, 'BITS-Sessions'))
    } finally {
      await directory.remove()
    }
  }

  /** The entries of the folder except the markers of open sessions. */
  const namesIn = async (folder: string): Promise<string[]> =>
    (await sessionFiles(dirname(folder))).filter((name) => name !== 'users').sort()

  const listed = async (store: SessionStore): Promise<string[]> => {
    const keys: string[] = []
    for await (const { uploadId } of store.list()) keys.push(uploadId)
    return keys
  }

  test('sessions survive a restart', () =>
    withStore(async (store, folder) => {
      await store.create(newRecord(1))
      await store.update(newRecord(1).uploadId, () => ({ total: 5 }))
      const next = await openOnNetworkDrive(join(folder, '..'))
      expect(await next.get(newRecord(1).uploadId)).toEqual(newRecord(1, { total: 5 }))
    }))

  test('records are readable only by their owner, and there are no other files', () =>
    withStore(async (store, folder) => {
      await store.create(newRecord(1))
      await store.update(newRecord(1).uploadId, () => ({ total: 5 }))
      expect(await namesIn(folder)).toEqual([`${newRecord(1).uploadId}.json`])
      const facts = await stat(join(folder, `${newRecord(1).uploadId}.json`))
      expect(facts.mode & 0o777).toBe(0o600)
    }))

  test.each([
    ['nothing', ''],
    ['half a record', JSON.stringify(newRecord(1)).slice(0, 50)],
    ['zeros, as after a power cut', '\0'.repeat(200)],
    ['a number', '5'],
    ['null', 'null'],
    ['an array', '[]'],
    ['an empty object', '{}'],
    ['a record without its state', JSON.stringify({ ...newRecord(1), state: undefined })],
    ['a record of an unknown state', JSON.stringify({ ...newRecord(1), state: 'waiting' })],
    ['a record whose total is a text', JSON.stringify({ ...newRecord(1), total: '5' })],
    ['a record whose activity is not a time', JSON.stringify({ ...newRecord(1), lastActivity: null })],
  ])('a record that contains %s is not a session, and is removed by the next sweep', (_what, text) =>
    withStore(async (store, folder) => {
      const { uploadId } = newRecord(1)
      const path = join(folder, `${uploadId}.json`)
      await store.create(newRecord(2))
      await writeFile(path, text)
      expect(await store.get(uploadId)).toBeUndefined()
      expect(await store.update(uploadId, () => ({ total: 1 }))).toBeUndefined()
      expect(await listed(store)).toEqual([newRecord(2).uploadId])

      const expired = async (before: number) => {
        for await (const record of store.expired(before)) expect(record.uploadId).not.toBe(uploadId)
        return sessionFiles(dirname(folder))
      }
      await utimes(path, 5000, 5000)
      expect(await expired(4_999_000)).toContain(`${uploadId}.json`)
      expect(await expired(5_001_000)).not.toContain(`${uploadId}.json`)
      await store.delete(uploadId)
    }),
  )

  test('files that a killed process left beside a record have no effect, and are removed by the next sweep', () =>
    withStore(async (store, folder) => {
      await store.create(newRecord(1))
      const { uploadId } = newRecord(1)
      await writeFile(join(folder, `${uploadId}.wanted`), '')
      await mkdir(join(folder, `${uploadId}.lock`))
      for (const end of ['wanted', 'lock']) await utimes(join(folder, `${uploadId}.${end}`), 5000, 5000)
      expect(await store.update(newRecord(1).uploadId, () => ({ total: 5 }))).toMatchObject({ total: 5 })
      expect(await listed(store)).toEqual([newRecord(1).uploadId])
      for await (const record of store.expired(6_000_000)) expect(record).toBeUndefined()
      expect(await namesIn(folder)).toEqual([`${newRecord(1).uploadId}.json`])
    }))

  test('a record that names a different session than its file is ignored', () =>
    withStore(async (store, folder) => {
      const [own, other] = [newRecord(1).uploadId, newRecord(2).uploadId]
      await writeFile(join(folder, `${own}.json`), JSON.stringify(newRecord(2)))
      await writeFile(join(folder, `${other}.ended.json`), JSON.stringify(newRecord(1, { state: 'closed' })))
      for (const uploadId of [own, other]) {
        expect(await store.get(uploadId)).toBeUndefined()
        expect(await store.update(uploadId, () => ({ total: 1 }))).toBeUndefined()
      }
      expect(await listed(store)).toEqual([])
    }))

  test('listing open sessions reads none of those that have ended', () =>
    withStore(async (store, folder) => {
      for (const n of [1, 2, 3]) await store.create(newRecord(n))
      await store.update(newRecord(2).uploadId, () => ({ state: 'closed' }))
      // A directory cannot be read as a record.
      await rm(join(folder, `${newRecord(2).uploadId}.ended.json`))
      await mkdir(join(folder, `${newRecord(2).uploadId}.ended.json`))
      const restarted = await openOnNetworkDrive(join(folder, '..'))
      const open: string[] = []
      for await (const { uploadId } of restarted.list({ openOnly: true })) open.push(uploadId)
      expect(open.sort()).toEqual([1, 3].map((n) => newRecord(n).uploadId))
      await expect(listed(restarted)).rejects.toMatchObject({ code: 'EISDIR' })
    }))

  test('a marker that a killed process left behind does not count against its user for long', () =>
    withStore(async (store, folder) => {
      for (const n of [1, 2]) await store.createWithin?.(newRecord(n), 2)
      await rm(join(folder, `${newRecord(1).uploadId}.json`))
      const restarted = await openOnNetworkDrive(join(folder, '..'))
      expect(await restarted.createWithin(newRecord(3), 2)).toBe(2)
      const [user = ''] = await readdir(join(folder, 'users'))
      await utimes(join(folder, 'users', user, newRecord(1).uploadId), 5000, 5000)
      expect(await restarted.createWithin(newRecord(3), 2)).toBeUndefined()
      expect(await restarted.createWithin(newRecord(4), 2)).toBe(2)
    }))

  test('a marker that a killed process left behind is removed by the sweep', () =>
    withStore(async (store, folder) => {
      await store.createWithin?.(newRecord(1), 2)
      await store.createWithin?.(newRecord(2), 2)
      await rm(join(folder, `${newRecord(1).uploadId}.json`))
      const [user = ''] = await readdir(join(folder, 'users'))
      const names = () => readdir(join(folder, 'users', user))
      for (const name of await names()) await utimes(join(folder, 'users', user, name), 5000, 5000)
      await writeFile(join(folder, 'users', 'unrelated'), '')
      for await (const record of store.expired(4_999_000)) expect(record).toBeUndefined()
      expect(await names()).toHaveLength(2)
      for await (const { uploadId } of store.expired(5_001_000)) expect(uploadId).toBe(newRecord(2).uploadId)
      expect(await names()).toEqual([newRecord(2).uploadId])
      expect(await store.createWithin?.(newRecord(3), 2)).toBeUndefined()
      expect(await store.createWithin?.(newRecord(4), 2)).toBe(2)
    }))

  test('nothing is left for a user whose last session has ended', () =>
    withStore(async (store, folder) => {
      await store.createWithin?.(newRecord(1), 2)
      await store.delete(newRecord(1).uploadId)
      for await (const record of store.expired(0)) expect(record).toBeUndefined()
      expect(await sessionFiles(dirname(folder))).toEqual([])
    }))

  test('two processes that share a directory do not exceed the limit together', () =>
    withStore(async (_store, folder) => {
      const directory = join(folder, '..')
      const [one, other] = [1, 2].map(() => new FileSessionStore({ directory, shared: true }))
      if (!one || !other) throw new Error('There are no stores.')
      await Promise.all([one.open(), other.open()])
      const attempts = Array.from({ length: 40 }, (_, n) =>
        (n % 2 ? one : other).createWithin(newRecord(n), 7),
      )
      const created = (await Promise.all(attempts)).filter((count) => count === undefined).length
      expect(created).toBeLessThanOrEqual(7)
      // If two requests collide, both may be refused, so the remaining places can still be claimed later.
      for (let n = created; n < 7; n++) expect(await one.createWithin(newRecord(100 + n), 7)).toBeUndefined()
      expect(await other.createWithin(newRecord(99), 7)).toBe(7)
      // If a user's session has ended in another process, stale data in this one does not cause a refusal.
      expect(await one.createWithin(newRecord(99), 7)).toBe(7)
      const [ended = ''] = await listed(other)
      await other.delete(ended)
      expect(await one.createWithin(newRecord(98), 7)).toBeUndefined()
      expect(await one.createWithin(newRecord(99), 7)).toBe(7)
    }))

  test('an incomplete change, left by a killed process or a full disk, has no effect', () =>
    withStore(async (store, folder) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      await store.update(uploadId, () => ({ total: 5 }))
      await appendFile(join(folder, `${uploadId}.json`), '\n{"total":6,"state":"clo')
      expect(await store.get(uploadId)).toEqual({ ...newRecord(1), total: 5 })
      await store.update(uploadId, () => ({ state: 'published' }))
      const afterRestart = await openOnNetworkDrive(join(folder, '..'))
      expect(await afterRestart.get(uploadId)).toEqual({ ...newRecord(1), total: 5, state: 'published' })
    }))

  test('a removed field stays removed after a restart', () =>
    withStore(async (store, folder) => {
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      await store.update(uploadId, () => ({ replyUrl: '/a-reply', total: 5 }))
      await store.update(uploadId, () => ({ replyUrl: undefined }))
      const afterRestart = await openOnNetworkDrive(join(folder, '..'))
      expect((await afterRestart.get(uploadId))?.replyUrl).toBeUndefined()
      expect((await afterRestart.get(uploadId))?.total).toBe(5)
    }))

  test('a change by one process is visible to another immediately', () =>
    withStore(async (store, folder) => {
      const other = await openOnNetworkDrive(join(folder, '..'))
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      for (let total = 0; total < 10; total++) {
        const [one, two] = total % 2 ? [store, other] : [other, store]
        await one.update(uploadId, () => ({ total }))
        expect((await two.get(uploadId))?.total).toBe(total)
      }
      await other.delete(uploadId)
      expect(await store.get(uploadId)).toBeUndefined()
      expect(await store.update(uploadId, () => ({ total: 1 }))).toBeUndefined()
      expect(await other.get(uploadId)).toBeUndefined()
    }))

  test('files of other programs in its folder are left alone', () =>
    withStore(async (store, folder) => {
      const names = ['README.json', 'x.tmp', `${'a'.repeat(32)}.part`, `${'A'.repeat(32)}.json`]
      for (const name of names) {
        await writeFile(join(folder, name), JSON.stringify(newRecord(1)))
        await utimes(join(folder, name), 5000, 5000)
      }
      expect(await listed(store)).toEqual([])
      for await (const record of store.expired(Date.now())) expect(record).toBeUndefined()
      expect(await namesIn(folder)).toEqual(names.sort())
    }))

  test('two processes that change one session do not damage it', () =>
    withStore(async (store, folder) => {
      const other = await openOnNetworkDrive(join(folder, '..'))
      const { uploadId } = newRecord(1)
      await store.create(newRecord(1))
      await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const text = String(n).repeat(n * 10)
          const changed = await (n % 2 ? store : other).update(uploadId, () => ({ replyUrl: text }))
          expect(changed?.replyUrl).toBe(text)
        }),
      )
      expect(await store.get(uploadId)).toMatchObject({ uploadId, state: 'receiving' })
      expect(await namesIn(folder)).toEqual([`${uploadId}.json`])
    }))

  test('a directory that was moved away is a failure, not an empty store', () =>
    withStore(async (store, folder) => {
      await rename(folder, `${folder}2`)
      await expect(store.create(newRecord(1))).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(listed(store)).rejects.toMatchObject({ code: 'ENOENT' })
      await rename(`${folder}2`, folder)
    }))
})
