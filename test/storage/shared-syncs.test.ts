import { fstatSync, statSync } from 'node:fs'
import { link, mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { type FileSystem, fsync, nodeFileSystem } from '../../lib/util/fs.js'
import { describeOnSystems, isPosix } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { systemError } from '../support/intercepted-fs.js'
import { until } from '../support/soak.js'

const { directory: newDirectory } = fixtures()

let directory: string
/** `link NAME`, `sync`, `synced`, `failed` (of the directory `in`) and `published NAME`, in order. */
let log: string[]
/** Ends the sync in progress. */
let resolveSync: ((error?: Error) => void) | undefined
/** Number of publications that have identified their directory, and request its sync next. */
let identified: number
let storage: FileStorage

beforeEach(async () => {
  directory = await newDirectory()
  log = []
  resolveSync = undefined
  const calls: Partial<FileSystem> = {}
  for (const name of ['stat', 'fstat'] as const)
    Reflect.set(calls, name, countIdentified(nodeFileSystem[name]))
  storage = new FileStorage({ directory }, { ...calls, fsync: sync, link: noteLink })
  await storage.open()
  await mkdir(join(directory, 'in'))
  // All directories of a file are synced once, so what follows is about its parent only.
  const first = publish('first')
  await syncing()
  endSync()
  await first
  log = []
  identified = 0
})

/** Only the identity of a directory is read with 64-bit numbers. */
const countIdentified =
  (call: (...args: never[]) => Promise<unknown>) =>
  async (...args: unknown[]) => {
    const facts = await Reflect.apply(call, undefined, args)
    if (args.length > 1) identified++
    return facts
  }

function endSync(error?: Error): void {
  const resolve = resolveSync
  resolveSync = undefined
  resolve?.(error)
}

async function sync(file: number): Promise<void> {
  const parent = statSync(join(directory, 'in'), { throwIfNoEntry: false })
  if (fstatSync(file).ino !== parent?.ino) return fsync(file)
  log.push('sync')
  const error = await new Promise<Error | undefined>((resolve) => {
    resolveSync = resolve
  })
  await fsync(file)
  log.push(error ? 'failed' : 'synced')
  if (error) throw error
}

async function noteLink(existing: string, path: string): Promise<void> {
  await link(existing, path)
  if (!basename(path).startsWith('probe')) log.push(`link ${basename(path)}`)
}

let uploads = 0
async function publish(name: string): Promise<void> {
  const uploadId = String(uploads++).padStart(32, '0')
  const upload = { uploadId, destination: `in/${name}`, total: 1 }
  await storage.begin(upload)
  await storage.append(upload, 0, Readable.from([Buffer.from('x')]), new AbortController().signal)
  await storage.publish(upload, { overwrite: false })
  log.push(`published ${name}`)
}

/** Resolves when this many publications since the first one have requested a sync. */
const waiting = (count: number) => until(() => identified >= count)
const syncing = () => until(() => resolveSync !== undefined)

describeOnSystems('syncs of directories', isPosix, () => {
  describe('publications in one directory at the same time', () => {
    test('share a sync that starts after each of them has its name', async () => {
      const first = publish('a')
      await syncing()
      const others = [publish('b'), publish('c'), publish('d')]
      await waiting(4)
      expect(log.filter((entry) => entry === 'sync')).toHaveLength(1)
      endSync()
      await first
      await syncing()
      // The only sync that has ended started before their links.
      expect(log.filter((entry) => entry.startsWith('published'))).toEqual(['published a'])
      endSync()
      await Promise.all(others)
      expect(log.filter((entry) => entry === 'sync')).toHaveLength(2)
      const second = log.lastIndexOf('sync')
      for (const name of ['b', 'c', 'd']) {
        expect(log.indexOf(`link ${name}`)).toBeLessThan(second)
        expect(log.indexOf(`published ${name}`)).toBeGreaterThan(log.lastIndexOf('synced'))
      }
    })

    test('do not join a sync that started earlier', async () => {
      const first = publish('a')
      await syncing()
      const second = publish('b')
      await waiting(2)
      endSync()
      await first
      await syncing()
      const third = publish('c')
      await waiting(3)
      endSync()
      await second
      await syncing()
      expect(log).not.toContain('published c')
      endSync()
      await third
      expect(log.filter((entry) => entry === 'sync')).toHaveLength(3)
    })

    test('all fail with the sync that they share, and with one that failed while they waited', async () => {
      const first = publish('a')
      await syncing()
      const others = [publish('b'), publish('c')]
      await waiting(3)
      const outcomes = Promise.allSettled([first, ...others])
      endSync(systemError('EIO', 'fsync'))
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'EIO' } })
      }
      expect(log.filter((entry) => entry === 'sync')).toHaveLength(1)
      // The next one gets a sync of its own.
      const next = publish('d')
      await syncing()
      endSync()
      await next
    })

    test('keep their directory open until its sync has ended, even if it was removed and created again', async () => {
      const first = publish('a')
      await syncing()
      const second = publish('b')
      await waiting(2)
      const endFirst = resolveSync
      await rm(join(directory, 'in'), { recursive: true })
      await mkdir(join(directory, 'in'))
      const third = publish('c')
      await until(() => resolveSync !== endFirst)
      // This is another directory, so it does not wait for the syncs of the one that it replaced.
      endSync()
      await third
      endFirst?.()
      await Promise.all([first, second])
    })
  })
})
