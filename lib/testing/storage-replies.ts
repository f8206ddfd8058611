import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { ByteRange, StagedUpload, StorageAdapter, StoredReply } from '../../types/storage.js'
import { assertAnswer, assertBytes } from './assertions.js'
import { contentOf, failingAfter, streamOf } from './bodies.js'
import { assertRejects, type ContractClauses } from './runner.js'
import type { StorageBench } from './storage-bench.js'

/** A storage that keeps replies. */
type ReplyStorage = StorageAdapter & Required<Pick<StorageAdapter, 'writeReply' | 'statReply' | 'readReply'>>

const keepsReplies = (storage: StorageAdapter): storage is ReplyStorage =>
  storage.writeReply !== undefined && storage.statReply !== undefined && storage.readReply !== undefined

/** A test for storages with replies; others pass it. */
const ifKept =
  (check: (storage: ReplyStorage, bench: StorageBench) => Promise<void>) =>
  async (bench: StorageBench): Promise<void> => {
    if (keepsReplies(bench.storage)) await check(bench.storage, bench)
  }

const replySize = async (storage: ReplyStorage, upload: StagedUpload): Promise<number> =>
  ((await storage.statReply(upload)) satisfies StoredReply | undefined)?.size ?? 0

const replyOf = (storage: ReplyStorage, upload: StagedUpload, range?: ByteRange): Promise<Buffer> =>
  contentOf(storage.readReply(upload, range))

/** Replies of applications, if the storage keeps them. */
export const REPLIES: ContractClauses<StorageBench> = {
  reply: {
    'there is no reply before one is stored': ifKept(async (storage, bench) => {
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      assertAnswer('statReply()', await storage.statReply(upload), undefined)
    }),

    'keeps a reply, and returns it in full and in ranges': ifKept(async (storage, bench) => {
      const reply = randomBytes(200_000)
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      const before = Date.now() - 2000
      assertAnswer(
        'writeReply()',
        await storage.writeReply(upload, streamOf(reply, 1, 1000, 60_000)),
        reply.length,
      )
      const facts = await storage.statReply(upload)
      assertAnswer('The size that statReply()', facts?.size, reply.length)
      assert.ok(
        facts && facts.lastModified.getTime() > before,
        'The date that statReply() returned is too old.',
      )
      assertBytes(await replyOf(storage, upload), reply)
      for (const [start, end] of [
        [0, 0],
        [0, 199_999],
        [1000, 150_000],
        [199_999, 199_999],
      ] as const) {
        assertBytes(await replyOf(storage, upload, { start, end }), reply.subarray(start, end + 1))
      }
      assertBytes(await bench.stagedContent(upload), Buffer.from('abc'))
    }),

    'keeps the replies of uploads apart': ifKept(async (storage, bench) => {
      const uploads = await Promise.all(['a', 'b', 'c'].map((name) => bench.begun(name)))
      await Promise.all(
        uploads.map((upload, n) => storage.writeReply(upload, streamOf(Buffer.alloc(70_000, n)))),
      )
      for (const [n, upload] of uploads.entries()) {
        assertBytes(await replyOf(storage, upload), Buffer.alloc(70_000, n))
      }
    }),
  },

  'reply-replace': {
    'a reply replaces an earlier one, and an empty one removes it': ifKept(async (storage, bench) => {
      const upload = await bench.begun('a.bin')
      await storage.writeReply(upload, streamOf(Buffer.from('the first')))
      assertAnswer('writeReply()', await storage.writeReply(upload, streamOf(Buffer.from('2nd'))), 3)
      assertAnswer('statReply()', await replySize(storage, upload), 3)
      assertBytes(await replyOf(storage, upload), Buffer.from('2nd'))
      assertAnswer('writeReply()', await storage.writeReply(upload, Readable.from([])), 0)
      assertAnswer('statReply()', await replySize(storage, upload), 0)
    }),

    'nothing of a failed reply is kept': ifKept(async (storage, bench) => {
      const upload = await bench.begun('a.bin')
      const error = new Error('The application stopped.')
      const fail = () => storage.writeReply(upload, failingAfter(Buffer.alloc(100_000), error))
      await assertRejects(fail)
      assertAnswer('statReply()', await replySize(storage, upload), 0)
      const earlier = Buffer.from('earlier')
      await storage.writeReply(upload, streamOf(earlier))
      await assertRejects(fail)
      if ((await replySize(storage, upload)) > 0) assertBytes(await replyOf(storage, upload), earlier)
    }),
  },

  'reply-discard': {
    'a reply outlives the discard that follows a publication, and no other': ifKept(
      async (storage, bench) => {
        const upload = await bench.filled('a.bin', Buffer.from('abc'))
        const reply = Buffer.from('well received')
        await storage.writeReply(upload, streamOf(reply))
        await storage.publish(upload, { overwrite: false })
        await storage.discard(upload, { keepReply: true })
        await storage.discard(upload, { keepReply: true })
        assertAnswer('received() after publish() and discard()', await storage.received(upload), 0)
        assertBytes(await replyOf(storage, upload), reply)
        await storage.discard(upload)
        assertAnswer('statReply()', await storage.statReply(upload), undefined)
        await storage.discard(upload)
        assertAnswer('published()', await bench.publishedText('a.bin'), 'abc')
      },
    ),

    'discarding an upload by its id alone removes its reply': ifKept(async (storage, bench) => {
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      await storage.writeReply(upload, streamOf(Buffer.from('well received')))
      await storage.discard({ uploadId: upload.uploadId, destination: '' })
      assertAnswer('statReply()', await storage.statReply(upload), undefined)
    }),

    'statReply() during a discard either finds the reply or does not': ifKept(async (storage, bench) => {
      const upload = await bench.begun('a.bin')
      await storage.writeReply(upload, streamOf(Buffer.from('abc')))
      const asked = Array.from({ length: 20 }, () => storage.statReply(upload))
      const [, ...answers] = await Promise.all([storage.discard(upload), ...asked])
      for (const facts of answers) assert.ok(facts === undefined || facts.size === 3)
    }),

    'a reply that is discarded before or while it is read arrives complete, or fails': ifKept(
      async (storage, bench) => {
        const reply = randomBytes(1_000_000)
        const moments: ((stream: Readable) => Promise<unknown>)[] = [
          async () => {},
          (stream) => once(stream, 'readable'),
        ]
        for (const moment of moments) {
          const upload = await bench.begun('a.bin')
          await storage.writeReply(upload, streamOf(reply, 65_536))
          const stream = storage.readReply(upload)
          await moment(stream)
          const read = contentOf(stream).catch(() => undefined)
          await storage.discard(upload)
          const content = await read
          if (content) assertBytes(content, reply)
          const late = storage.readReply(upload, { start: 0, end: 9 })
          await assert.rejects(contentOf(late), 'The stream of a removed reply ended as if it were complete.')
        }
      },
    ),
  },
}
