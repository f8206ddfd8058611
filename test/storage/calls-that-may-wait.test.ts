import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, expect, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { nodeFileSystem } from '../../lib/util/fs.js'
import { describeOnSystems } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { until } from '../support/soak.js'
import { tripsToThreadPool } from '../support/thread-pool-trips.js'

const { directory: newDirectory } = fixtures()

/** One may prove nothing: a busy machine leaves calls to the thread pool. */
const TRIES = 10

/** Types of file systems that `statfs` reports. */
const [EXT4, NFS] = [0xef53, 0x6969]

let directory: string
let storage: FileStorage

beforeEach(async () => {
  directory = await newDirectory()
  storage = new FileStorage({ directory, durability: 'none' })
  await storage.open()
})

/** Bytes of an append, of which a small file has one. */
const PIECE = Buffer.alloc(40 * 1024, 'x')

/** @returns an upload of so many pieces, and a function that appends one. */
async function begin(n: number, pieces = 2) {
  const total = pieces * PIECE.length
  const upload = { uploadId: String(n).padStart(32, '0'), destination: `file-${n}`, total }
  const append = (piece: number) =>
    storage.append(upload, piece * PIECE.length, Readable.from([PIECE]), new AbortController().signal)
  await storage.has(upload.destination)
  await storage.begin(upload)
  return { upload, append }
}

// A virus scanner may read a file before it is opened, and the last name of a file frees its space.
describeOnSystems(
  'calls on Linux',
  () => process.platform === 'linux',
  () => {
    test('opening a file without content happens on the main thread', async () => {
      let n = 0
      // A busy machine leaves calls to the thread pool.
      await until(async () => {
        const { append } = await begin(n++)
        return (await tripsToThreadPool(() => append(0))) === 0
      })
    })

    test('opening a file with content happens in the thread pool', async () => {
      for (let n = 0; n < TRIES; n++) {
        const { upload, append } = await begin(n)
        await append(0)
        expect(await tripsToThreadPool(() => append(1))).toBeGreaterThanOrEqual(1)
        expect(
          await tripsToThreadPool(() => storage.publish(upload, { overwrite: false })),
        ).toBeGreaterThanOrEqual(1)
      }
    })

    test('opening a file with content to flush it happens in the thread pool', async () => {
      storage = new FileStorage({ directory }, { fsync: async () => {} })
      await storage.open()
      for (let n = 0; n < TRIES; n++) {
        const { upload, append } = await begin(n)
        await append(0)
        await append(1)
        // It is opened to flush it, and once more when it has its name; it gets its mode; its directory is identified.
        expect(
          await tripsToThreadPool(() => storage.publish(upload, { overwrite: false })),
        ).toBeGreaterThanOrEqual(4)
      }
    })

    test('everything happens in the thread pool once a network drive has taken the place of a local disk', async () => {
      let type = EXT4
      const statfs = async () => ({ type })
      storage = new FileStorage({ directory, durability: 'none' }, { ...nodeFileSystem, statfs })
      await storage.open()
      await storage.has('first')
      await until(async () => (await tripsToThreadPool(() => storage.has('other'))) === 0)
      type = NFS
      await rename(join(directory, 'BITS-Sessions'), join(directory, 'before'))
      await storage.has('other')
      for (let n = 0; n < TRIES; n++) {
        expect(await tripsToThreadPool(() => storage.has('other'))).toBeGreaterThanOrEqual(1)
      }
    })

    test('everything happens in the thread pool while it is unknown what has taken the place of a local disk', async () => {
      let isBroken = false
      const unlink = (path: string) =>
        isBroken ? Promise.reject(new Error('EIO')) : nodeFileSystem.unlink(path)
      storage = new FileStorage({ directory, durability: 'none' }, { unlink })
      await storage.open()
      const { upload } = await begin(1)
      await until(async () => (await tripsToThreadPool(() => storage.received(upload))) === 0)
      isBroken = true
      await rename(join(directory, 'BITS-Sessions'), join(directory, 'before'))
      await expect(storage.has('other')).rejects.toThrow('EIO')
      // Its data and its marker, both of which are gone.
      for (let n = 0; n < TRIES; n++) {
        expect(await tripsToThreadPool(() => storage.received(upload))).toBe(2)
      }
    })

    test('a file of at most 64 KiB needs the thread pool only to be announced', async () => {
      let n = 0
      let least = Number.POSITIVE_INFINITY
      await until(async () => {
        const { upload, append } = await begin(n++, 1)
        const trips = await tripsToThreadPool(async () => {
          await append(0)
          await storage.publish(upload, { overwrite: false })
          await storage.discard(upload, { keepReply: true })
        })
        expect((await readFile(join(directory, upload.destination))).equals(PIECE)).toBe(true)
        least = Math.min(least, trips)
        return trips === 1
      })
      expect(least).toBe(1)
    })

    test('staged data of more than 64 KiB is closed and removed in the thread pool', async () => {
      for (let n = 0; n < TRIES; n++) {
        const { upload, append } = await begin(n)
        await append(0)
        expect(await tripsToThreadPool(() => append(1))).toBeGreaterThanOrEqual(2)
        expect(await tripsToThreadPool(() => storage.discard(upload, { keepReply: true }))).toBe(1)
        expect(await storage.received(upload)).toBe(0)
      }
    })
  },
)
