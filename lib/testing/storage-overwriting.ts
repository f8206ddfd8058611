import assert from 'node:assert/strict'
import { assertAnswer, assertBytes } from './assertions.js'
import { assertRejects, type ContractClauses } from './runner.js'
import type { StorageBench } from './storage-bench.js'

const TAKEN = { code: 'destination-taken' }

/** Publishing where there is already a file. */
export const OVERWRITING: ContractClauses<StorageBench> = {
  'publish-taken': {
    'without overwriting, an existing file stays, and so does the upload': async (bench) => {
      const { storage } = bench
      await bench.publishedNow('a.bin', 'old')
      const upload = await bench.filled('a.bin', Buffer.from('new'))
      for (let n = 0; n < 2; n++) {
        await assertRejects(
          () => storage.publish(upload, { overwrite: false }),
          TAKEN,
          'publish() without overwriting resolved, although the destination is taken.',
        )
        assertAnswer('published()', await bench.publishedText('a.bin'), 'old')
        assertAnswer('received() after a publish() that was refused', await storage.received(upload), 3)
      }
    },

    'of concurrent uploads to one name, exactly one is published, complete': async (bench) => {
      const { storage, subject } = bench
      for (let round = 0; round < 10; round++) {
        const destination = `race/${round}.bin`
        const contents = Array.from({ length: 8 }, (_, n) => Buffer.alloc(2000 + n, n))
        const uploads = await Promise.all(contents.map((content) => bench.filled(destination, content)))
        const results = await Promise.allSettled(
          uploads.map(async (upload) => storage.publish(upload, { overwrite: false })),
        )
        const winners = contents.filter((_, n) => results[n]?.status === 'fulfilled')
        const [won] = winners
        assert.ok(won && winners.length === 1, `${winners.length} of 8 won the race.`)
        assertBytes(await subject.published(destination), won, 'The published file')
        const losers = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
        assertAnswer('The code of the errors that publish()', losers, Array(7).fill(TAKEN.code))
      }
    },
  },

  'publish-overwrite': {
    'with overwriting, the new file replaces the old one': async (bench) => {
      await bench.publishedNow('a.bin', 'old')
      const upload = await bench.filled('a.bin', Buffer.from('newer'))
      const { size } = await bench.storage.publish(upload, { overwrite: true })
      assertAnswer('The size that publish()', size, 5)
      assertAnswer('published()', await bench.publishedText('a.bin'), 'newer')
    },

    'of concurrent uploads with overwriting, all are published, and one complete file remains': async (
      bench,
    ) => {
      const { storage, subject } = bench
      const contents = Array.from({ length: 8 }, (_, n) => Buffer.alloc(2000 + n, n))
      const uploads = await Promise.all(contents.map((content) => bench.filled('race.bin', content)))
      await Promise.all(uploads.map((upload) => storage.publish(upload, { overwrite: true })))
      const standing = await subject.published('race.bin')
      assert.ok(
        contents.some((content) => standing && content.equals(standing)),
        'The published file is not one of those that were uploaded.',
      )
    },
  },
}
