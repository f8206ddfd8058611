import { appendFile, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, jest, test } from '@jest/globals'
import { FileSessionStore, type SessionRecord } from 'express-bits-upload'
import { SessionFolder } from '../../lib/session-stores/session-folder.js'
import { SessionJournal } from '../../lib/session-stores/session-journal.js'
import { SessionTable } from '../../lib/session-stores/session-table.js'
import { newRecord } from '../../lib/testing/new-record.js'
import { nodeFileSystem } from '../../lib/util/fs.js'
import {
  DirectoryStores,
  dyingBefore,
  idOf,
  onLinux,
  recordsOf,
  type StoreOptions,
} from '../support/directory-stores.js'
import { until } from '../support/soak.js'

const stores = new DirectoryStores()
const open: DirectoryStores['open'] = (...args) => stores.open(...args)

const asText = (records: Map<string, SessionRecord>) => JSON.stringify([...records].sort())

onLinux('a process that dies', () => {
  test('before any call loses no confirmed change, and adds at most unconfirmed ones', async () => {
    for (let index = 0; ; index++) {
      await stores.newDirectory()
      const { calls, hasDied } = dyingBefore(index)
      /** Records that were confirmed, and their state after the operation in progress. */
      let confirmed = new Map<string, SessionRecord>()
      let next = confirmed
      const reference = new SessionTable()
      const note = () => new Map(reference.list().map((record) => [record.uploadId, record]))
      try {
        const store = await open(calls, { durable: true })
        for (const n of [1, 2, 3]) {
          reference.put(newRecord(n))
          next = note()
          await store.create(newRecord(n))
          confirmed = next
          reference.put(newRecord(n, { total: n }))
          next = note()
          await store.update(idOf(n), () => ({ total: n }))
          confirmed = next
        }
        reference.delete(idOf(2))
        next = note()
        await store.delete(idOf(2))
        confirmed = next
      } catch {
        expect(hasDied()).toBe(true)
      }
      const found = await stores.afterRestart()
      expect([confirmed, next].map(asText)).toContain(asText(found))
      if (!hasDied()) break
      expect(index).toBeLessThan(200)
    }
  }, 60_000)

  test('while the journal is compacted loses nothing', async () => {
    for (let index = 0; ; index++) {
      await stores.newDirectory()
      const folder = new SessionFolder(stores.folder, nodeFileSystem)
      await folder.create()
      const { calls, hasDied } = dyingBefore(index)
      const confirmed = new Map<string, number>()
      const attempted = new Map<string, number>()
      const journal = await SessionJournal.open(
        folder,
        { ...nodeFileSystem, ...calls },
        { minCompaction: 2000 },
      ).catch(() => undefined)
      for (let n = 0; journal && n < 60; n++) {
        const id = idOf(n % 3)
        attempted.set(id, n)
        const done =
          n < 3 ? journal.create(newRecord(n, { total: n })) : journal.update(id, () => ({ total: n }))
        if (
          await done.then(
            () => true,
            () => false,
          )
        )
          confirmed.set(id, n)
        else break
      }
      await journal?.close()
      const found = await stores.afterRestart()
      for (const [id, total] of confirmed) {
        expect([total, attempted.get(id)]).toContain(found.get(id)?.total)
      }
      expect(found.size).toBeLessThanOrEqual(attempted.size)
      if (!hasDied()) {
        expect((await stat(stores.journal)).size).toBeLessThan(4000)
        break
      }
      expect(index).toBeLessThan(300)
    }
  }, 60_000)
})

onLinux('what other programs do to the journal', () => {
  const passCheck = async (store: FileSessionStore): Promise<boolean> =>
    store
      .update(idOf(1), () => ({ total: 1 }))
      .then(
        () => true,
        () => false,
      )

  test('removing or truncating it loses no session: it is written again', async () => {
    const store = await open()
    await store.create(newRecord(1))
    await rm(stores.journal)
    await until(async () => {
      await passCheck(store)
      return (await stat(stores.journal).catch(() => undefined)) !== undefined
    })
    await truncate(stores.journal, 10)
    await until(async () => {
      await passCheck(store)
      return (await readFile(stores.journal, 'utf8')).includes('"createdAt"')
    })
    expect(await stores.afterRestart()).toEqual(new Map([[idOf(1), newRecord(1, { total: 1 })]]))
  })

  test('removing its folder costs no session: it is made again', async () => {
    const store = await open()
    await store.create(newRecord(1))
    await rename(stores.folder, `${stores.folder}-moved`)
    await until(async () => {
      expect(await passCheck(store)).toBe(true)
      return (await stat(stores.journal).catch(() => undefined)) !== undefined
    })
    expect(await store.get(idOf(1))).toEqual(newRecord(1, { total: 1 }))
    expect(await stores.afterRestart()).toEqual(new Map([[idOf(1), newRecord(1, { total: 1 })]]))
  })

  test('removing its folder makes changes fail while it cannot be made again', async () => {
    const store = await open()
    await store.create(newRecord(1))
    await rename(stores.folder, `${stores.folder}-moved`)
    await writeFile(stores.folder, 'a file')
    await until(async () => !(await passCheck(store)))
    await rm(stores.folder)
    await until(() => passCheck(store))
    expect(await store.get(idOf(1))).toEqual(newRecord(1, { total: 1 }))
  })

  test('writing to it makes changes fail, because another process would not see them', async () => {
    const store = await open()
    await store.create(newRecord(1))
    await appendFile(stores.journal, 'a line of another process\n')
    await until(async () => !(await passCheck(store)))
    await expect(store.update(idOf(1), () => ({ total: 2 }))).rejects.toThrow(
      'was changed by something other',
    )
  })
})

describe('sessions that are being moved', () => {
  const OPEN = [newRecord(1, { user: 'ann' }), newRecord(2, { user: 'ann', total: 5 }), newRecord(3)]
  const ENDED = newRecord(4, { state: 'closed' })
  const ALL = new Map([...OPEN, ENDED].map((record) => [record.uploadId, record]))
  const folder = () => stores.folder

  async function fill(options: StoreOptions): Promise<void> {
    const store = await open({}, options)
    for (const record of OPEN) await store.createWithin({ ...record, state: 'receiving' }, 10)
    await store.create({ ...ENDED, state: 'receiving' })
    await store.update(ENDED.uploadId, () => ({ state: 'closed' }))
    await store.close()
  }

  const sorted = (records: Map<string, SessionRecord>) => [...records].sort()

  test.each([true, false])(
    'all exist if the process that moves them dies before any call (to files: %s)',
    async (shared) => {
      for (let index = 0; ; index++) {
        await stores.newDirectory()
        await fill({ shared: !shared })
        const { calls, hasDied } = dyingBefore(index)
        jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
        const dying = new FileSessionStore({ directory: stores.directory, shared }, calls)
        await dying.open().catch(() => expect(hasDied()).toBe(true))
        await dying.close().catch(() => {})
        // The lock of a dead process expires within seconds.
        await rm(join(folder(), 'journal.lock'), { recursive: true, force: true })
        await rm(join(folder(), 'probe.lock'), { recursive: true, force: true })
        const store = await open({}, { shared: index % 2 === 0 })
        expect([index, sorted(await recordsOf(store))]).toEqual([index, sorted(ALL)])
        await store.close()
        if (!hasDied()) break
        expect(index).toBeLessThan(300)
      }
    },
    120_000,
  )
})
