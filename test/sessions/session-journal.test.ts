import { closeSync, openSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { FileSessionStore, type SessionChange, type SessionRecord } from 'express-bits-upload'
import * as fc from 'fast-check'
import { replayJournal } from '../../lib/session-stores/journal-lines.js'
import { SessionFolder } from '../../lib/session-stores/session-folder.js'
import { SessionJournal } from '../../lib/session-stores/session-journal.js'
import { SessionTable } from '../../lib/session-stores/session-table.js'
import { newRecord } from '../../lib/testing/new-record.js'
import { type FileSystem, nodeFileSystem } from '../../lib/util/fs.js'
import { anyText } from '../support/any-text.js'
import { DirectoryStores, idOf, onLinux, recordsOf, type StoreOptions } from '../support/directory-stores.js'
import { sessionFiles } from '../support/files.js'
import { interceptedFileSystem, systemError } from '../support/intercepted-fs.js'
import { until } from '../support/soak.js'

const stores = new DirectoryStores()
const open: DirectoryStores['open'] = (...args) => stores.open(...args)

type Sessions = Pick<FileSessionStore, 'create' | 'update' | 'delete' | 'list' | 'get'>

/** A change to one of a few sessions. */
type Operation =
  | { readonly create: number; readonly user: string }
  | { readonly update: number; readonly change: SessionChange }
  | { readonly delete: number }

const number = fc.nat(5)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ create: number, user: anyText({ maxLength: 8 }) }),
  fc.record({
    update: number,
    change: fc.record<SessionChange>(
      {
        total: fc.option(fc.nat(), { nil: undefined }),
        replyUrl: fc.option(anyText({ maxLength: 20 }), { nil: undefined }),
        state: fc.constantFrom('receiving', 'published', 'closed', 'cancelled'),
        lastActivity: fc.nat(),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({ delete: number }),
)

async function perform(store: Sessions, what: Operation): Promise<void> {
  if ('create' in what) await store.create(newRecord(what.create, { user: what.user }))
  else if ('update' in what) await store.update(idOf(what.update), () => what.change)
  else await store.delete(idOf(what.delete))
}

onLinux('the journal of a FileSessionStore', () => {
  test('is the only file, and readable only by its owner', async () => {
    const store = await open()
    await store.create(newRecord(1))
    expect(await readdir(stores.folder)).toEqual(['lease', 'sessions.journal'])
    expect((await stat(stores.journal)).mode & 0o777).toBe(0o600)
  })

  test('has all sessions after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
        await rm(stores.journal, { force: true })
        const store = await open()
        for (const what of operations) await perform(store, what).catch(() => {})
        const before = await recordsOf(store)
        expect(await stores.afterRestart()).toEqual(before)
      }),
      { numRuns: 30 },
    )
  })

  test('truncated at any byte has exactly the changes that were written completely', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 8 }), async (operations) => {
        await rm(stores.journal, { force: true })
        const store = await open()
        /** The sessions at each length that the journal has had. */
        const states: { readonly length: number; readonly records: Map<string, SessionRecord> }[] = []
        const note = async () =>
          states.push({ length: (await stat(stores.journal)).size, records: await recordsOf(store) })
        await note()
        for (const what of operations) {
          await perform(store, what).catch(() => {})
          await note()
        }
        const bytes = await readFile(stores.journal)
        for (let cut = 0; cut <= bytes.length; cut++) {
          const sessions = new SessionTable()
          const { length, skipped } = await replayJournal(bytes.subarray(0, cut), sessions)
          const expected = states.findLast((state) => state.length <= cut)
          const records = sessions.list().map((record) => [record.uploadId, record] as const)
          expect(new Map(records)).toEqual(expected?.records)
          expect([length, skipped]).toEqual([expected?.length, 0])
        }
        await store.close()
      }),
      { numRuns: 15 },
    )
  })

  test('continues behind the last complete line after a crash', async () => {
    const store = await open()
    await store.create(newRecord(1))
    await store.close()
    await appendFile(stores.journal, '{"update":"aaaaaaaaaaaaaaaa00000000000000')
    const next = await open()
    await next.create(newRecord(2))
    expect([...(await stores.afterRestart()).keys()]).toEqual([idOf(1), idOf(2)])
  })

  test.each([
    ['text', 'nonsense'],
    ['zeros, as after a power cut', '\0'.repeat(100)],
    ['a number', '5'],
    ['an unknown entry', '{"rename":"x"}'],
    ['half a record', '{"create":{"uploadId":"x"}}'],
    ['a change of an unknown session', `{"update":"${idOf(9)}","change":{"total":1}}`],
    ['a change to another session', `{"update":"${idOf(1)}","change":{"uploadId":"${idOf(9)}"}}`],
    ['a change to an unknown state', `{"update":"${idOf(1)}","change":{"state":"waiting"}}`],
  ])('skips a damaged line, with a warning: %s', async (_what, line) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const store = await open()
    await store.create(newRecord(1))
    await store.close()
    await appendFile(stores.journal, `${line}\n`)
    const next = await open()
    await next.create(newRecord(2))
    expect([...(await stores.afterRestart()).keys()]).toEqual([idOf(1), idOf(2)])
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('1 damaged lines'))
  })

  test('is shared by the stores of a process, until the last of them is closed', async () => {
    const [one, other] = [await open(), await open()]
    await one.create(newRecord(1))
    await expect(other.create(newRecord(1))).rejects.toThrow('already exists')
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => (n % 2 ? one : other).update(idOf(1), () => ({ total: n }))),
    )
    await one.close()
    expect(await other.update(idOf(1), () => ({ replyUrl: '/reply' }))).toMatchObject({ total: 39 })
    expect(await stores.afterRestart()).toEqual(
      new Map([[idOf(1), newRecord(1, { total: 39, replyUrl: '/reply' })]]),
    )
  })

  test('writes nothing after it is closed, when its descriptor may be that of another file', async () => {
    const paths = [1, 2, 3, 4].map((n) => join(stores.directory, `${n}`))
    const others: number[] = []
    let isClosing = false
    const close = async (file: number) => {
      await nodeFileSystem.close(file)
      if (isClosing) others.push(...paths.map((path) => openSync(path, 'a')))
    }
    const store = await open({ close })
    await store.create(newRecord(1))
    // Changes of one session wait for each other.
    const changes = Promise.allSettled(
      Array.from({ length: 4 }, (_, n) => store.update(idOf(1), () => ({ total: n + 1 }))),
    )
    isClosing = true
    await store.close()
    const results = await changes
    for (const other of others) closeSync(other)
    for (const path of paths) expect((await stat(path)).size).toBe(0)
    const done = results.filter(({ status }) => status === 'fulfilled').length
    expect(await stores.afterRestart()).toEqual(
      new Map([[idOf(1), newRecord(1, done > 0 ? { total: done } : {})]]),
    )
  })

  test('stores many changes with one write', async () => {
    let writes = 0
    const store = await open(interceptedFileSystem(({ name }) => void (name === 'write' && writes++)))
    await Promise.all(Array.from({ length: 100 }, (_, n) => store.create(newRecord(n))))
    expect(writes).toBe(1)
    expect((await stores.afterRestart()).size).toBe(100)
  })

  test('stores changes with one write that arrive during one turn of the event loop', async () => {
    let writes = 0
    const store = await open(interceptedFileSystem(({ name }) => void (name === 'write' && writes++)))
    const first = store.create(newRecord(1))
    for (let n = 0; n < 100; n++) await Promise.resolve()
    await Promise.all([first, store.create(newRecord(2))])
    expect(writes).toBe(1)
  })

  test('never gives a user more sessions than allowed, however requests overlap', async () => {
    const store = await open()
    const counts = await Promise.all(
      Array.from({ length: 40 }, (_, n) => store.createWithin(newRecord(n, { user: 'ann' }), 7)),
    )
    expect(counts.filter((count) => count === undefined)).toHaveLength(7)
    expect(await store.createWithin(newRecord(50, { user: 'bob' }), 1)).toBeUndefined()
    await store.update(idOf(0), () => ({ state: 'closed' }))
    expect(await store.createWithin(newRecord(51, { user: 'ann' }), 7)).toBeUndefined()
    expect(await store.createWithin(newRecord(52, { user: 'ann' }), 7)).toBe(7)
  })
})

onLinux('flushing', () => {
  async function callsOf(options: StoreOptions): Promise<string[]> {
    const calls: string[] = []
    const store = await open(
      interceptedFileSystem(({ name }) => {
        if (['write', 'fsync', 'fdatasync'].includes(name)) calls.push(name)
      }),
      options,
    )
    await store.create(newRecord(1))
    await store.update(idOf(1), () => ({ total: 1 }))
    calls.push('done')
    return calls
  }

  test('is left to the operating system by default', async () => {
    expect(await callsOf({})).toEqual(['write', 'write', 'done'])
  })

  test('of a durable store happens before a change takes effect', async () => {
    const expected = ['fsync', 'write', 'fdatasync', 'write', 'fdatasync', 'done']
    expect(await callsOf({ durable: true })).toEqual(expected)
  })
})

onLinux('when a write fails', () => {
  /** A disk that accepts `room` more bytes of what is written, and fails `failing` calls. */
  let room = Number.POSITIVE_INFINITY
  let failing: ReadonlySet<string> = new Set()

  const calls: Partial<FileSystem> = {
    ...interceptedFileSystem(({ name }) => {
      if (failing.has(name)) throw systemError('EIO', name)
    }),
  }
  const { write } = nodeFileSystem
  Object.assign(calls, {
    write: async (file: number, bytes: Buffer, offset: number, length: number, position: number) => {
      if (room === 0) throw systemError('ENOSPC', 'write')
      const written = await write(file, bytes, offset, Math.min(length, room), position)
      room -= written.bytesWritten
      return written
    },
  })

  beforeEach(() => {
    room = Number.POSITIVE_INFINITY
    failing = new Set()
  })

  test('on a full disk, nothing is left of the change, and the next one succeeds once there is space', async () => {
    const store = await open(calls)
    await store.create(newRecord(1))
    const { size } = await stat(stores.journal)
    for (room of [0, 1, 50]) {
      await expect(store.create(newRecord(2))).rejects.toMatchObject({ code: 'ENOSPC' })
      expect((await stat(stores.journal)).size).toBe(size)
      expect(await store.get(idOf(2))).toBeUndefined()
    }
    room = Number.POSITIVE_INFINITY
    await store.create(newRecord(3))
    expect([...(await stores.afterRestart()).keys()]).toEqual([idOf(1), idOf(3)])
  })

  test('and the file cannot be truncated either, nothing is written after what is left', async () => {
    const store = await open(calls)
    await store.create(newRecord(1))
    room = 30
    failing = new Set(['ftruncate'])
    await expect(store.create(newRecord(2))).rejects.toMatchObject({ code: 'ENOSPC' })
    room = Number.POSITIVE_INFINITY
    await expect(store.create(newRecord(3))).rejects.toMatchObject({ code: 'EIO' })
    failing = new Set()
    await store.create(newRecord(4))
    expect([...(await stores.afterRestart()).keys()]).toEqual([idOf(1), idOf(4)])
  })

  test('to reach the disk, the change does not take effect', async () => {
    const store = await open(calls, { durable: true })
    await store.create(newRecord(1))
    failing = new Set(['fdatasync'])
    await expect(store.update(idOf(1), () => ({ total: 5 }))).rejects.toMatchObject({ code: 'EIO' })
    failing = new Set()
    expect(await store.get(idOf(1))).toEqual(newRecord(1))
    expect(await stores.afterRestart()).toEqual(new Map([[idOf(1), newRecord(1)]]))
  })
})

onLinux('a compaction that fails', () => {
  test.each(['open', 'write', 'fsync', 'rename'])(
    'at %s loses no session, and leaves nothing behind',
    async (name) => {
      const folder = new SessionFolder(stores.folder, nodeFileSystem)
      await folder.create()
      let isFailing = false
      let isCompacting = false
      const calls = interceptedFileSystem((call) => {
        if (call.name === 'open') isCompacting = String(call.args[0]).endsWith('.new')
        if (isFailing && isCompacting && call.name === name) {
          isCompacting = false
          throw systemError('EIO', name)
        }
      })
      const journal = await SessionJournal.open(
        folder,
        { ...nodeFileSystem, ...calls },
        { minCompaction: 1000 },
      )
      await journal.create(newRecord(1))
      isFailing = true
      for (let total = 0; total < 60; total++) await journal.update(idOf(1), () => ({ total }))
      expect((await stat(stores.journal)).size).toBeGreaterThan(2000)
      await until(async () => (await sessionFiles(stores.directory)).length === 0)
      isFailing = false
      for (let total = 0; total < 200; total++) await journal.update(idOf(1), () => ({ total }))
      expect((await stat(stores.journal)).size).toBeLessThan(6000)
      await journal.close()
      expect(await stores.afterRestart()).toEqual(new Map([[idOf(1), newRecord(1, { total: 199 })]]))
    },
  )
})

describe('sessions that were stored the other way', () => {
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

  test('one file each, are taken over, and their files are removed', async () => {
    await fill({ shared: true })
    await writeFile(join(folder(), `${idOf(7)}.json`), 'half a record')
    const store = await open()
    expect(sorted(await recordsOf(store))).toEqual(sorted(ALL))
    expect(await store.createWithin(newRecord(5, { user: 'ann' }), 2)).toBe(2)
    if (process.platform === 'linux')
      expect(await sessionFiles(stores.directory)).toEqual([`${idOf(7)}.json`])
  })

  test('in a journal, are moved to files by a shared store, with the counts of their users', async () => {
    await fill({})
    const store = await open({}, { shared: true })
    expect(sorted(await recordsOf(store))).toEqual(sorted(ALL))
    expect(await store.createWithin(newRecord(5, { user: 'ann' }), 2)).toBe(2)
    expect(await store.createWithin(newRecord(5, { user: 'ann' }), 3)).toBeUndefined()
    expect(await readdir(folder())).not.toContain('sessions.journal')
  })

  test('in a journal, are moved to files by a store on a network drive', async () => {
    await fill({})
    const store = await open({ statfs: async () => ({ type: 0x6969 }) })
    expect(sorted(await recordsOf(store))).toEqual(sorted(ALL))
    expect(await readdir(folder())).not.toContain('sessions.journal')
  })

  test('survive any number of switches', async () => {
    await fill({})
    for (const shared of [true, false, true, false]) {
      const store = await open({}, { shared })
      expect(sorted(await recordsOf(store))).toEqual(sorted(ALL))
      await store.close()
    }
  })

  test('are kept if some cannot be read, with a warning', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await fill({ shared: true })
    await mkdir(join(folder(), `${idOf(8)}.json`))
    expect(sorted(await recordsOf(await open()))).toEqual(sorted(ALL))
    if (process.platform === 'linux') {
      expect(warn).toHaveBeenCalledWith(expect.stringContaining('cannot be read'))
    }
  })
})

test('a shared store does not touch the journal that another store of its process uses', async () => {
  await open()
  const shared = new FileSessionStore({ directory: stores.directory, shared: true })
  if (process.platform !== 'linux') return
  await expect(shared.open()).rejects.toMatchObject({ code: 'session-busy' })
})
