import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { assertBytes } from './bodies.js'
import { assertRejects, type ContractTests } from './runner.js'
import type { StorageBench } from './storage-bench.js'

const TAKEN = { code: 'destination-taken' }

const NAMES: Readonly<Record<string, string>> = {
  'a file': 'a.bin',
  'a file in directories, with letters from far away': 'deep/er/ä ö 漢字.bin',
  'a file with a name of 255 bytes': 'n'.repeat(255),
}

const eachName: ContractTests<StorageBench> = Object.fromEntries(
  Object.entries(NAMES).map(([what, destination]) => [
    `publishes ${what}`,
    async (bench) => {
      const { storage, subject } = bench
      const content = randomBytes(70_000)
      const upload = await bench.filled(destination, content)
      const file = await storage.publish(upload, { overwrite: false })
      assert.equal(file.destination, destination)
      assert.equal(file.size, content.length)
      assertBytes(await subject.published(destination), content)
      assert.equal(await storage.has(destination), true)
    },
  ]),
)

const repetitions: ContractTests<StorageBench> = Object.fromEntries(
  [false, true].map((overwrite) => [
    `a publication can be repeated with overwrite ${overwrite}, as after a crash`,
    async (bench) => {
      const { storage, subject } = bench
      const content = randomBytes(1000)
      const upload = await bench.filled('a/b.bin', content)
      const first = await storage.publish(upload, { overwrite })
      assert.deepEqual(await storage.publish(upload, { overwrite }), first)
      assertBytes(await subject.published('a/b.bin'), content)
    },
  ]),
)

const LENGTHS: Readonly<Record<string, number>> = { 'too few': 4, 'too many': 2 }

const wrongLengths: ContractTests<StorageBench> = Object.fromEntries(
  Object.entries(LENGTHS).map(([many, total]) => [
    `what has ${many} bytes is published neither as a new file nor in place of another`,
    async (bench) => {
      const { storage } = bench
      await bench.publishedNow('old.bin', 'old')
      for (const [destination, before] of [
        ['new.bin', undefined],
        ['old.bin', 'old'],
      ] as const) {
        const upload = { ...(await bench.filled(destination, Buffer.from('abc'))), total }
        await assertRejects(() => storage.publish(upload, { overwrite: true }))
        assert.equal(await bench.publishedText(destination), before)
        assert.equal(await storage.has(destination), before !== undefined)
      }
    },
  ]),
)

/** How staged bytes become a file. */
export const PUBLISHING: ContractTests<StorageBench> = {
  ...eachName,

  'publishes a file without bytes': async (bench) => {
    const upload = await bench.begun('empty', 0)
    assert.equal((await bench.storage.publish(upload, { overwrite: false })).size, 0)
    assert.equal(await bench.publishedText('empty'), '')
  },

  'publishes a file that was closed before anything named its size as one without bytes': async (bench) => {
    const upload = await bench.begun('empty')
    assert.equal((await bench.storage.publish(upload, { overwrite: false })).size, 0)
    assert.equal(await bench.publishedText('empty'), '')
  },

  ...repetitions,
  ...wrongLengths,

  'without overwriting, a file that is there stays, and so does the upload': async (bench) => {
    const { storage } = bench
    await bench.publishedNow('a.bin', 'old')
    const upload = await bench.filled('a.bin', Buffer.from('new'))
    await assertRejects(() => storage.publish(upload, { overwrite: false }), TAKEN)
    assert.equal(await bench.publishedText('a.bin'), 'old')
    assert.equal(await storage.received(upload), 3)
    await assertRejects(() => storage.publish(upload, { overwrite: false }), TAKEN)
  },

  'with overwriting, the new file takes the place of the old one': async (bench) => {
    await bench.publishedNow('a.bin', 'old')
    const upload = await bench.filled('a.bin', Buffer.from('newer'))
    assert.equal((await bench.storage.publish(upload, { overwrite: true })).size, 5)
    assert.equal(await bench.publishedText('a.bin'), 'newer')
  },

  'of uploads that race for one name exactly one wins, whole': async (bench) => {
    const { storage, subject } = bench
    for (let round = 0; round < 10; round++) {
      const destination = `race/${round}.bin`
      const contents = Array.from({ length: 8 }, (_, n) => Buffer.alloc(2000 + n, n))
      const uploads = await Promise.all(contents.map((content) => bench.filled(destination, content)))
      const results = await Promise.allSettled(
        uploads.map((upload) => storage.publish(upload, { overwrite: false })),
      )
      const winners = contents.filter((_, n) => results[n]?.status === 'fulfilled')
      const [won] = winners
      assert.ok(won && winners.length === 1, `${winners.length} won the race.`)
      assertBytes(await subject.published(destination), won)
      const losers = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
      assert.deepEqual(losers, Array(7).fill(TAKEN.code))
    }
  },

  'of uploads that race with overwriting all are published, and one stands there whole': async (bench) => {
    const { storage, subject } = bench
    const contents = Array.from({ length: 8 }, (_, n) => Buffer.alloc(2000 + n, n))
    const uploads = await Promise.all(contents.map((content) => bench.filled('race.bin', content)))
    await Promise.all(uploads.map((upload) => storage.publish(upload, { overwrite: true })))
    const standing = await subject.published('race.bin')
    assert.ok(contents.some((content) => standing && content.equals(standing)))
  },
}
