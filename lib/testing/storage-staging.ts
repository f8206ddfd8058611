import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { assertBytes, consumed, failingAfter, never, PLENTY, plentyOfBytes, streamOf } from './bodies.js'
import { assertRejects, type ContractTests } from './runner.js'
import type { StorageBench } from './storage-bench.js'

/** Ways in which a body may end early, as the test names describe them. */
const ENDS: Readonly<Record<string, (body: PassThrough, stop: AbortController) => void>> = {
  fails: (body) => void body.destroy(new Error('ECONNRESET')),
  'is destroyed without an error': (body) => void body.destroy(),
  'hangs until the signal aborts': (_, stop) => stop.abort(),
}

const BODIES_THAT_END_EARLY: ContractTests<StorageBench> = Object.fromEntries(
  Object.entries(ENDS).map(([how, end]) => [
    `of a body that ${how} a part is kept and reported, and the upload continues after it`,
    async (bench) => {
      const { storage } = bench
      const content = randomBytes(300_000)
      const upload = await bench.begun('a.bin', content.length)
      const body = new PassThrough()
      const stop = new AbortController()
      const appended = storage.append(upload, 0, body, stop.signal)
      body.write(content.subarray(0, 200_000))
      await consumed(body)
      end(body, stop)
      await assertGoesOn(bench, upload, content, await appended, 200_000)
    },
  ]),
)

/** How bytes get into a storage. */
export const STAGING: ContractTests<StorageBench> = {
  'an upload that has begun holds nothing, and nothing is published': async (bench) => {
    const { storage, subject } = bench
    const upload = await bench.begun('a.bin', 10)
    assert.equal(await storage.received(upload), 0)
    assert.equal(await storage.has('a.bin'), false)
    assert.equal(await subject.published('a.bin'), undefined)
  },

  'an upload that was never begun holds nothing': async (bench) => {
    assert.equal(await bench.storage.received(bench.newUpload('a.bin')), 0)
  },

  'bytes are appended from the offset on, whatever their pieces': async (bench) => {
    const { storage } = bench
    const content = randomBytes(100_003)
    const upload = await bench.begun('a.bin', content.length)
    let offset = 0
    for (const end of [1, 2, 50_000, 50_001, 100_003]) {
      const body = streamOf(content.subarray(offset, end), 777)
      offset = await storage.append(upload, offset, body, never())
      assert.equal(offset, end)
      assert.equal(await storage.received(upload), end)
    }
    assertBytes(await bench.stagedContent(upload), content)
  },

  'a body of several MiB in chunks of all sizes arrives as it was': async (bench) => {
    const content = randomBytes(5 * 1024 * 1024 + 13)
    const upload = await bench.begun('a.bin', content.length)
    const body = streamOf(content, 1, 10, 1000, 65_536, 300_000)
    assert.equal(await bench.storage.append(upload, 0, body, never()), content.length)
    assertBytes(await bench.stagedContent(upload), content)
  },

  'a body without bytes changes nothing': async (bench) => {
    const upload = await bench.filled('a.bin', Buffer.from('abc'))
    assert.equal(await bench.storage.append(upload, 3, Readable.from([]), never()), 3)
    assertBytes(await bench.stagedContent(upload), Buffer.from('abc'))
  },

  'a body that was over before anybody read it does not hang': async (bench) => {
    const upload = await bench.begun('a.bin', 10)
    const ended = Readable.from([])
    ended.resume()
    await once(ended, 'close')
    assert.equal(await bench.storage.append(upload, 0, ended, never()), 0)
    const destroyed = new PassThrough()
    destroyed.destroy()
    assert.equal(await bench.storage.append(upload, 0, destroyed, never()), 0)
  },

  ...BODIES_THAT_END_EARLY,

  'of a body whose source fails a part is kept and reported, and the upload continues after it': async (
    bench,
  ) => {
    const content = randomBytes(300_000)
    const upload = await bench.begun('a.bin', content.length)
    const body = failingAfter(content.subarray(0, 200_000), new Error('The source failed.'))
    const kept = await bench.storage.append(upload, 0, body, never())
    await assertGoesOn(bench, upload, content, kept, 200_000)
  },

  'a signal that had aborted before ends an append at once': async (bench) => {
    const upload = await bench.filled('a.bin', Buffer.from('abc'))
    assert.equal(await bench.storage.append(upload, 3, new PassThrough(), AbortSignal.abort()), 3)
  },

  'an append that cannot be stored rejects, and leaves the body alone, so that an Ack can say why': async (
    bench,
  ) => {
    const { storage, subject } = bench
    if (!subject.breakAppends) return
    const upload = await bench.begun('a.bin', PLENTY)
    await subject.breakAppends(upload)
    const body = plentyOfBytes()
    await assertRejects(() => storage.append(upload, 0, body, never()))
    assert.ok(!body.destroyed || body.readableEnded, 'The body was destroyed, and with it the connection.')
    const received = await storage.received(upload)
    assert.ok(received >= 0 && received < PLENTY, `${received} bytes are received, although appends fail.`)
  },

  'during an append, what is received lies between its start and what was sent': async (bench) => {
    const { storage } = bench
    const upload = await bench.begun('a.bin', 1_001_000)
    await storage.append(upload, 0, streamOf(Buffer.alloc(1000)), never())
    const body = new PassThrough()
    const appended = storage.append(upload, 1000, body, never())
    let sent = 1000
    while (sent < 1_001_000) {
      body.write(Buffer.alloc(50_000))
      sent += 50_000
      const held = await storage.received(upload)
      assert.ok(held >= 1000 && held <= sent, `${held} bytes are received, of ${sent} that were sent.`)
      await consumed(body)
    }
    body.end()
    assert.equal(await appended, sent)
    assert.equal(await storage.received(upload), sent)
  },

  'uploads do not mix': async (bench) => {
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

  'an upload whose staged data is gone starts over, without having begun': async (bench) => {
    const { storage } = bench
    const upload = bench.newUpload('a.bin', 3)
    assert.equal(await storage.append(upload, 0, streamOf(Buffer.from('abc')), never()), 3)
    await storage.publish(upload, { overwrite: false })
    assert.equal(await bench.publishedText('a.bin'), 'abc')
  },
}

/** `kept` bytes of `content`, no more than were sent, are staged, and the others can follow. */
async function assertGoesOn(
  bench: StorageBench,
  upload: ReturnType<StorageBench['newUpload']>,
  content: Buffer,
  kept: number,
  sent: number,
): Promise<void> {
  const { storage } = bench
  assert.ok(kept <= sent, `${kept} bytes are kept, of ${sent} that were sent.`)
  assert.equal(await storage.received(upload), kept)
  const rest = streamOf(content.subarray(kept))
  assert.equal(await storage.append(upload, kept, rest, never()), content.length)
  assertBytes(await bench.stagedContent(upload), content)
}
