import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { assertAnswer, assertBytes } from './assertions.js'
import { assertRejects, type ContractClauses, type ContractTests } from './runner.js'
import type { StorageBench } from './storage-bench.js'

/** Size in bytes of a file that is published while others read it. */
const LARGE = 3_000_000

const FILE_NAMES: Readonly<Record<string, string>> = {
  'a file': 'a.bin',
  'a file in directories, with non-Latin letters': 'deep/er/ä ö 漢字.bin',
  'a file with a name of 255 bytes': 'n'.repeat(255),
}

const eachName: ContractTests<StorageBench> = Object.fromEntries(
  Object.entries(FILE_NAMES).map(([what, destination]) => [
    `publishes ${what}`,
    async (bench) => {
      const { storage, subject } = bench
      const content = randomBytes(70_000)
      const upload = await bench.filled(destination, content)
      const file = await storage.publish(upload, { overwrite: false })
      assertAnswer('The destination that publish()', file.destination, destination)
      assertAnswer('The size that publish()', file.size, content.length)
      assertBytes(await subject.published(destination), content, 'The published file')
      assertAnswer('has() of a published file', await storage.has(destination), true)
    },
  ]),
)

const withoutBytes: ContractTests<StorageBench> = Object.fromEntries(
  [0, undefined].map((total) => [
    `publishes a file without bytes, whose total is ${total}`,
    async (bench) => {
      const upload = await bench.begun('empty', total)
      const { size } = await bench.storage.publish(upload, { overwrite: false })
      assertAnswer('The size that publish()', size, 0)
      assertAnswer('published()', await bench.publishedText('empty'), '')
    },
  ]),
)

const repetitions: ContractTests<StorageBench> = Object.fromEntries(
  [false, true].map((overwrite) => [
    `publish() with overwrite ${overwrite} can be repeated, as after a crash`,
    async (bench) => {
      const { storage, subject } = bench
      const content = randomBytes(1000)
      const upload = await bench.filled('a/b.bin', content)
      const first = await storage.publish(upload, { overwrite })
      assertAnswer('A repeated publish()', await storage.publish(upload, { overwrite }), first)
      assertBytes(await subject.published('a/b.bin'), content, 'The published file')
    },
  ]),
)

const LENGTHS: Readonly<Record<string, number>> = { 'too few': 4, 'too many': 2 }

const wrongLengths: ContractTests<StorageBench> = Object.fromEntries(
  Object.entries(LENGTHS).map(([many, total]) => [
    `an upload with ${many} bytes is neither published as a new file nor over another`,
    async (bench) => {
      const { storage } = bench
      await bench.publishedNow('old.bin', 'old')
      for (const [destination, before] of [
        ['new.bin', undefined],
        ['old.bin', 'old'],
      ] as const) {
        const upload = { ...(await bench.filled(destination, Buffer.from('abc'))), total }
        await assertRejects(
          () => storage.publish(upload, { overwrite: true }),
          undefined,
          `publish() resolved, although 3 of ${total} bytes are staged.`,
        )
        assertAnswer('published()', await bench.publishedText(destination), before)
        assertAnswer('has()', await storage.has(destination), before !== undefined)
      }
    },
  ]),
)

/** Publishes a large file while reading its destination: either `before` or the whole file is there. */
async function assertAtomic(bench: StorageBench, before: Buffer | undefined): Promise<void> {
  const { storage, subject } = bench
  if (before) await bench.publishedNow('a.bin', before)
  const content = randomBytes(LARGE)
  const upload = await bench.filled('a.bin', content)
  let publishing = true
  const published = (async () => storage.publish(upload, { overwrite: before !== undefined }))().finally(
    () => {
      publishing = false
    },
  )
  const look = async () => {
    while (publishing) {
      const seen = await subject.published('a.bin')
      const length = seen?.length
      const allowed = [before?.length, LARGE]
      assert.ok(
        allowed.includes(length),
        `During publish() a file of ${length} bytes was at its destination.`,
      )
      if (length === LARGE) assertBytes(seen, content, 'The file that was visible during publish()')
      await setImmediate()
    }
  }
  await Promise.all([published, look()])
  assertBytes(await subject.published('a.bin'), content, 'The published file')
}

/** Publishing staged bytes. */
export const PUBLISHING: ContractClauses<StorageBench> = {
  'publish-hidden': {
    'nothing is at the destination before publish(), even if all bytes are staged': async (bench) => {
      const { storage, subject } = bench
      await bench.begun('begun.bin', 10)
      await bench.filled('complete.bin', Buffer.from('abc'))
      for (const destination of ['begun.bin', 'complete.bin']) {
        assertAnswer('has() before publish()', await storage.has(destination), false)
        assertAnswer('published() before publish()', await subject.published(destination), undefined)
      }
    },
  },

  'publish-file': { ...eachName, ...withoutBytes },
  'publish-repeat': repetitions,
  'publish-length': {
    ...wrongLengths,

    'an upload without staged data is not published': async (bench) => {
      await assertRejects(
        async () => bench.storage.publish(bench.newUpload('a.bin', 3), { overwrite: false }),
        undefined,
        'publish() resolved, although 0 of 3 bytes are staged.',
      )
      assertAnswer('published()', await bench.publishedText('a.bin'), undefined)
    },
  },

  'publish-atomic': {
    'a new file appears with all its bytes': (bench) => assertAtomic(bench, undefined),
    'a file being replaced stays until the new one is complete': (bench) =>
      assertAtomic(bench, Buffer.from('old')),
  },
}
