import assert from 'node:assert/strict'
import { assertAnswer } from './assertions.js'
import type { ContractClauses } from './runner.js'
import type { StorageBench } from './storage-bench.js'

/** Discarding and listing staged bytes. */
export const DISCARDING: ContractClauses<StorageBench> = {
  discard: {
    'a discarded upload no longer exists, and may be discarded again': async (bench) => {
      const { storage, subject } = bench
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      await storage.discard(upload)
      assertAnswer('received() after discard()', await storage.received(upload), 0)
      await storage.discard(upload)
      await storage.discard(bench.newUpload('never.bin'))
      assertAnswer('published()', await subject.published('a.bin'), undefined)
    },

    'discarding an upload leaves its published file alone': async (bench) => {
      const { storage } = bench
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      await storage.publish(upload, { overwrite: false })
      await storage.discard(upload)
      await storage.discard(upload)
      assertAnswer('published()', await bench.publishedText('a.bin'), 'abc')
      assertAnswer('has()', await storage.has('a.bin'), true)
      assertAnswer('received() after publish() and discard()', await storage.received(upload), 0)
    },

    'received may be called while an upload is discarded': async (bench) => {
      const { storage } = bench
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      const asked = Array.from({ length: 20 }, () => storage.received(upload))
      const [, ...answers] = await Promise.all([storage.discard(upload), ...asked])
      for (const held of answers)
        assert.ok(held === 0 || held === 3, `received() during discard() returned ${held}.`)
      assertAnswer('received() after discard()', await storage.received(upload), 0)
    },
  },

  'discard-by-id': {
    'an upload can be discarded by its id alone, as the sweep does': async (bench) => {
      const { storage } = bench
      const published = await bench.filled('a.bin', Buffer.from('abc'))
      await storage.publish(published, { overwrite: false })
      const staged = await bench.filled('b.bin', Buffer.from('abc'))
      for (const { uploadId } of [published, staged]) await storage.discard({ uploadId, destination: '' })
      assertAnswer('received() after publish() and discard()', await storage.received(published), 0)
      assertAnswer('received() after discard()', await storage.received(staged), 0)
      assertAnswer('staged()', await bench.listed(), [])
      assertAnswer('published()', await bench.publishedText('a.bin'), 'abc')
    },
  },

  staged: {
    'lists each staged upload at least once': async (bench) => {
      const { storage } = bench
      if (!storage.staged) return
      const before = Date.now() - 2000
      const staged = await bench.filled('staged.bin', Buffer.from('abc'))
      const empty = await bench.begun('empty.bin')
      const discarded = await bench.filled('discarded.bin', Buffer.from('abc'))
      await storage.discard(discarded)
      await bench.publishedNow('published.bin', 'abc')
      // An upload without bytes may be left out.
      const listed = (await bench.listed()).filter((uploadId) => uploadId !== empty.uploadId)
      assertAnswer('staged()', listed, [staged.uploadId])
      for await (const { lastModified } of storage.staged()) assert.ok(lastModified.getTime() > before)
    },

    'uploads may be discarded while it runs': async (bench) => {
      const { storage } = bench
      if (!storage.staged) return
      for (let n = 0; n < 30; n++) await bench.filled(`${n}.bin`, Buffer.from('abc'))
      for await (const { uploadId } of storage.staged()) await storage.discard({ uploadId, destination: '' })
      assertAnswer('staged()', await bench.listed(), [])
    },
  },
}
