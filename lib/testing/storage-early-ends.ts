import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { assertAnswer, assertAnswers, assertBytes } from './assertions.js'
import { consumed, failingAfter, never, PLENTY, plentyOfBytes, streamOf } from './bodies.js'
import { assertRejects, type ContractClauses, type ContractTests } from './runner.js'
import type { StorageBench } from './storage-bench.js'

/** Ways in which a body may end early, as the test names describe them. */
const ENDS: Readonly<Record<string, (body: PassThrough, stop: AbortController) => void>> = {
  fails: (body) => void body.destroy(new Error('ECONNRESET')),
  'is destroyed without an error': (body) => void body.destroy(),
  'hangs until the signal aborts': (_, stop) => stop.abort(),
}

const bodiesThatEndEarly: ContractTests<StorageBench> = Object.fromEntries(
  Object.entries(ENDS).map(([how, end]) => [
    `the received part of a body that ${how} is kept and reported, and the upload continues after it`,
    async (bench) => {
      const { storage } = bench
      const content = randomBytes(300_000)
      const upload = await bench.begun('a.bin', content.length)
      const body = new PassThrough()
      const stop = new AbortController()
      const appended = (async () => storage.append(upload, 0, body, stop.signal))()
      body.write(content.subarray(0, 200_000))
      await assertAnswers('append()', 'to what was sent', consumed(body))
      end(body, stop)
      const kept = await assertAnswers('append()', `to a body that ${how}`, appended)
      await assertContinues(bench, upload, content, kept, 200_000)
    },
  ]),
)

/** Bodies that end early, and storages that fail. */
export const EARLY_ENDS: ContractClauses<StorageBench> = {
  'append-early-end': {
    ...bodiesThatEndEarly,

    'the received part of a body whose source fails is kept and reported, and the upload continues after it':
      async (bench) => {
        const content = randomBytes(300_000)
        const upload = await bench.begun('a.bin', content.length)
        const body = failingAfter(content.subarray(0, 200_000), new Error('The source failed.'))
        const kept = await bench.storage.append(upload, 0, body, never())
        await assertContinues(bench, upload, content, kept, 200_000)
      },

    'a body that ended before it was read does not hang': async (bench) => {
      const upload = await bench.begun('a.bin', 10)
      const ended = Readable.from([])
      ended.resume()
      await once(ended, 'close')
      const destroyed = new PassThrough()
      destroyed.destroy()
      for (const [what, body] of [
        ['a body that ended before', ended],
        ['a body that was destroyed before', destroyed],
      ] as const) {
        const appended = (async () => bench.storage.append(upload, 0, body, never()))()
        assertAnswer(`append() of ${what}`, await assertAnswers('append()', `to ${what}`, appended), 0)
      }
    },

    'an already aborted signal ends an append immediately': async (bench) => {
      const upload = await bench.filled('a.bin', Buffer.from('abc'))
      const appended = (async () => bench.storage.append(upload, 3, new PassThrough(), AbortSignal.abort()))()
      const kept = await assertAnswers('append()', 'although its signal had already aborted', appended)
      assertAnswer('append() of no bytes at 3', kept, 3)
    },
  },

  'append-failure': {
    'an append that cannot be stored rejects, and does not destroy the body, so that an Ack can report why':
      async (bench) => {
        const { storage, subject } = bench
        if (!subject.breakAppends) return
        const upload = await bench.begun('a.bin', PLENTY)
        await subject.breakAppends(upload)
        const body = plentyOfBytes()
        await assertRejects(
          () => storage.append(upload, 0, body, never()),
          undefined,
          'append() resolved, although the storage fails.',
        )
        assert.ok(
          !body.destroyed || body.readableEnded,
          'append() destroyed the body, and with it the connection.',
        )
        const received = await storage.received(upload)
        assert.ok(
          received >= 0 && received < PLENTY,
          `received() returned ${received}, although appends fail.`,
        )
      },
  },
}

/** `kept` bytes of `content`, no more than were sent, are staged, and the others can follow. */
async function assertContinues(
  bench: StorageBench,
  upload: ReturnType<StorageBench['newUpload']>,
  content: Buffer,
  kept: number,
  sent: number,
): Promise<void> {
  const { storage } = bench
  assert.ok(kept >= 0 && kept <= sent, `append() returned ${kept}, although ${sent} bytes were sent.`)
  assertAnswer(`received() after an append that returned ${kept}`, await storage.received(upload), kept)
  const rest = streamOf(content.subarray(kept))
  assertAnswer('append() of the rest', await storage.append(upload, kept, rest, never()), content.length)
  assertBytes(await bench.stagedContent(upload), content)
}
