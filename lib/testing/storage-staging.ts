import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { assertAnswer, assertAnswers, assertBytes } from './assertions.js'
import { consumed, contentOf, never, streamOf } from './bodies.js'
import { assertRejects, type ContractClauses } from './runner.js'
import type { StorageBench } from './storage-bench.js'

/** Staging bytes. */
export const STAGING: ContractClauses<StorageBench> = {
  'begin-empty': {
    'an upload that has begun is empty': async (bench) => {
      assertAnswer(
        'received() after begin()',
        await bench.storage.received(await bench.begun('a.bin', 10)),
        0,
      )
    },

    'an upload that was never begun is empty': async (bench) => {
      assertAnswer('received() without begin()', await bench.storage.received(bench.newUpload('a.bin')), 0)
    },
  },

  'append-length': {
    'append() and received() return the staged length, however the bytes are split': async (bench) => {
      const { storage } = bench
      const upload = await bench.begun('a.bin', 100_003)
      let offset = 0
      for (const end of [1, 2, 50_000, 50_001, 100_003]) {
        const body = streamOf(Buffer.alloc(end - offset), 777)
        const call = `append() of ${end - offset} bytes at ${offset}`
        assertAnswer(call, await storage.append(upload, offset, body, never()), end)
        assertAnswer(`received() after ${end} bytes`, await storage.received(upload), end)
        offset = end
      }
    },

    'a body without bytes does not change the length': async (bench) => {
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      const call = 'append() of no bytes at 3'
      assertAnswer(call, await bench.storage.append(upload, 3, Readable.from([]), never()), 3)
      assertBytes(await bench.stagedContent(upload), Buffer.from('abc'))
    },
  },

  'append-offset': {
    'bytes are stored from the offset on, however they are split': async (bench) => {
      const content = randomBytes(100_003)
      const upload = await bench.begun('a.bin', content.length)
      let offset = 0
      for (const end of [1, 2, 50_000, 50_001, 100_003]) {
        await bench.storage.append(upload, offset, streamOf(content.subarray(offset, end), 777), never())
        offset = end
      }
      assertBytes(await bench.stagedContent(upload), content)
    },

    'a body of several MiB in chunks of all sizes is stored unchanged': async (bench) => {
      const content = randomBytes(5 * 1024 * 1024 + 13)
      const upload = await bench.begun('a.bin', content.length)
      await bench.storage.append(upload, 0, streamOf(content, 1, 10, 1000, 65_536, 300_000), never())
      assertBytes(await bench.stagedContent(upload), content)
    },
  },

  'append-repeat': {
    'bytes that are appended again at an earlier offset neither move nor shorten what is staged': async (
      bench,
    ) => {
      const { storage } = bench
      const content = randomBytes(90_000)
      const upload = await bench.filled('a.bin', content)
      // Like a process that was suspended while another one received the rest. It may reject.
      const late = streamOf(content.subarray(30_000, 60_000))
      await Promise.allSettled([(async () => storage.append(upload, 30_000, late, never()))()])
      assertAnswer('received() after a repeated append', await storage.received(upload), content.length)
      assertBytes(await bench.stagedContent(upload), content)
    },
  },

  'append-without-begin': {
    'an upload whose staged data was removed starts over at offset 0': async (bench) => {
      const { storage } = bench
      const upload = bench.newUpload('a.bin', 3)
      const call = 'append() of 3 bytes without begin()'
      assertAnswer(call, await storage.append(upload, 0, streamOf(Buffer.from('abc')), never()), 3)
      await storage.publish(upload, { overwrite: false })
      assertAnswer('published()', await bench.publishedText('a.bin'), 'abc')
    },
  },

  'received-expected': {
    'received() returns the staged length, whatever offset is expected': async (bench) => {
      const { storage } = bench
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      for (const expected of [3, 0, 2, 4]) {
        const call = `received() of an upload of 3 bytes, with the expected offset ${expected},`
        assertAnswer(call, await storage.received(upload, expected), 3)
      }
    },

    'received() with an expected offset returns 0 after discard() and without begin()': async (bench) => {
      const { storage } = bench
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      await storage.discard(upload)
      const call = 'received() with the expected offset 3'
      assertAnswer(`${call} after discard()`, await storage.received(upload, 3), 0)
      assertAnswer(`${call}, without begin(),`, await storage.received(bench.newUpload('b.bin'), 3), 0)
    },
  },

  'received-during-append': {
    'during an append, received() returns a length between its start and what was sent': async (bench) => {
      const { storage } = bench
      const upload = await bench.begun('a.bin', 1_001_000)
      await storage.append(upload, 0, streamOf(Buffer.alloc(1000)), never())
      const body = new PassThrough()
      const appended = (async () => storage.append(upload, 1000, body, never()))()
      let sent = 1000
      while (sent < 1_001_000) {
        body.write(Buffer.alloc(50_000))
        sent += 50_000
        const asked = (async () => storage.received(upload))()
        const held = await assertAnswers('received()', 'during an append', asked)
        const range = `a number from 1000 to ${sent}`
        assert.ok(held >= 1000 && held <= sent, `received() returned ${held} instead of ${range}.`)
        await assertAnswers('append()', 'to what was sent', consumed(body))
      }
      body.end()
      assertAnswer('append()', await appended, sent)
      assertAnswer('received() after append()', await storage.received(upload), sent)
    },
  },

  'uploads-apart': {
    'the bytes of uploads do not mix': async (bench) => {
      const { storage } = bench
      const uploads = await Promise.all(['a', 'b', 'c', 'd'].map((name) => bench.begun(name, 200_000)))
      await Promise.all(
        uploads.map(async (upload, n) => {
          await storage.append(upload, 0, streamOf(Buffer.alloc(100_000, n), 999), never())
          await storage.append(upload, 100_000, streamOf(Buffer.alloc(100_000, n), 999), never())
        }),
      )
      for (const [n, upload] of uploads.entries()) {
        assertBytes(await bench.stagedContent(upload), Buffer.alloc(200_000, n))
      }
    },

    'an upload with a slow client does not block another': async (bench) => {
      const { storage } = bench
      const slow = await bench.begun('slow.bin', 6)
      const body = new PassThrough()
      body.write('abc')
      const appended = (async () => storage.append(slow, 0, body, never()))()
      await assertAnswers('append()', 'to what was sent', consumed(body))
      const other = bench.publishedNow('fast.bin', 'fast')
      await assertAnswers('An upload', 'while the client of another one is slow', other)
      body.end('def')
      assertAnswer('append() of a slow body', await appended, 6)
      assertBytes(await bench.stagedContent(slow), Buffer.from('abcdef'))
    },
  },

  'read-again': {
    'staged bytes can be read several times, and a reader may stop early': async (bench) => {
      const content = randomBytes(500_000)
      const upload = await bench.filled('a.bin', content)
      const early = bench.storage.read(upload)
      await once(early, 'readable')
      early.destroy()
      for (let n = 0; n < 2; n++) assertBytes(await bench.stagedContent(upload), content)
    },
  },

  'read-missing': {
    'the stream of bytes that are no longer staged fails': async (bench) => {
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      await bench.storage.discard(upload)
      await assertRejects(
        async () => contentOf(bench.storage.read(upload)),
        undefined,
        'The stream of read() ended as if it were complete, although nothing is staged.',
      )
    },
  },
}
