import { Readable } from 'node:stream'
import { beforeEach, expect, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { describeOnSystems } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { until } from '../support/soak.js'
import { tripsToThreadPool } from '../support/thread-pool-trips.js'

const { directory: newDirectory } = fixtures()

/** One may prove nothing: a busy machine leaves calls to the thread pool. */
const TRIES = 10

let storage: FileStorage

beforeEach(async () => {
  storage = new FileStorage({ directory: await newDirectory(), durability: 'none' })
  await storage.open()
})

/** @returns an upload of two bytes, with one of them, and a function that appends one. */
async function begin(n: number) {
  const upload = { uploadId: String(n).padStart(32, '0'), destination: `file-${n}`, total: 2 }
  const append = (offset: number) =>
    storage.append(upload, offset, Readable.from([Buffer.from('x')]), new AbortController().signal)
  await storage.has(upload.destination)
  await storage.begin(upload)
  return { upload, append }
}

// A virus scanner may read a file before it is opened, however long that takes.
describeOnSystems(
  'opening on Linux',
  () => process.platform === 'linux',
  () => {
    test('a file without content happens on the main thread', async () => {
      let n = 0
      // A busy machine leaves calls to the thread pool.
      await until(async () => {
        const { append } = await begin(n++)
        return (await tripsToThreadPool(() => append(0))) === 0
      })
    })

    test('a file with content happens in the thread pool', async () => {
      for (let n = 0; n < TRIES; n++) {
        const { upload, append } = await begin(n)
        await append(0)
        expect(await tripsToThreadPool(() => append(1))).toBeGreaterThanOrEqual(1)
        expect(
          await tripsToThreadPool(() => storage.publish(upload, { overwrite: false })),
        ).toBeGreaterThanOrEqual(1)
      }
    })

    test('staged data that was not published is removed through the thread pool', async () => {
      for (let n = 0; n < TRIES; n++) {
        const { upload, append } = await begin(n)
        await append(0)
        expect(await tripsToThreadPool(() => storage.discard(upload, { keepReply: true }))).toBe(1)
        expect(await storage.received(upload)).toBe(0)
      }
    })
  },
)
