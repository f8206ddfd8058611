import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { StagedUpload, StorageAdapter } from 'express-bits-upload'

/** A storage under test, and what its tests need beside it. */
export interface StorageUnderTest {
  readonly storage: StorageAdapter
  /** What stands at a destination; `undefined` when nothing does. */
  published(destination: string): Promise<Buffer | undefined>
  /** Called after each test. */
  remove(): Promise<void>
}

/** What every storage has to do: the contract of `types/storage.ts`, with nothing known of what is behind it. */
export function describeStorage(name: string, make: () => Promise<StorageUnderTest>): void {
  describe(`${name} as a storage`, () => {
    let storage: StorageAdapter
    let subject: StorageUnderTest
    let count = 0

    beforeEach(async () => {
      subject = await make()
      storage = subject.storage
      await storage.open?.()
    })

    afterEach(async () => {
      await storage.close?.()
      await subject.remove()
    })

    const newUpload = (destination: string, total?: number): StagedUpload => ({
      id: (++count).toString(16).padStart(32, '0'),
      destination,
      total,
    })

    const begun = async (destination: string, total?: number): Promise<StagedUpload> => {
      const upload = newUpload(destination, total)
      await storage.begin(upload)
      return upload
    }

    /** An upload that has all its bytes. */
    const filled = async (destination: string, content: Buffer): Promise<StagedUpload> => {
      const upload = await begun(destination, content.length)
      await storage.append(upload, 0, streamOf(content), never())
      return upload
    }

    const stagedContent = async (upload: StagedUpload): Promise<Buffer> => contentOf(storage.read(upload))

    test('an upload that has begun holds nothing, and nothing is published', async () => {
      const upload = await begun('a.bin', 10)
      expect(await storage.received(upload)).toBe(0)
      expect(await storage.has('a.bin')).toBe(false)
      expect(await subject.published('a.bin')).toBeUndefined()
    })

    test('an upload that nobody began holds nothing', async () => {
      expect(await storage.received(newUpload('a.bin'))).toBe(0)
    })

    test('bytes are appended from the offset on, whatever their pieces', async () => {
      const content = randomBytes(100_003)
      const upload = await begun('a.bin', content.length)
      let offset = 0
      for (const end of [1, 2, 50_000, 50_001, 100_003]) {
        const body = streamOf(content.subarray(offset, end), 777)
        offset = await storage.append(upload, offset, body, never())
        expect(offset).toBe(end)
        expect(await storage.received(upload)).toBe(end)
      }
      expect((await stagedContent(upload)).equals(content)).toBe(true)
    })

    test('a body of several MiB in chunks of all sizes arrives as it was', async () => {
      const content = randomBytes(5 * 1024 * 1024 + 13)
      const upload = await begun('a.bin', content.length)
      const body = streamOf(content, 1, 10, 1000, 65_536, 300_000)
      expect(await storage.append(upload, 0, body, never())).toBe(content.length)
      expect((await stagedContent(upload)).equals(content)).toBe(true)
    })

    test('a body without bytes changes nothing', async () => {
      const upload = await filled('a.bin', Buffer.from('abc'))
      expect(await storage.append(upload, 3, Readable.from([]), never())).toBe(3)
      expect((await stagedContent(upload)).toString()).toBe('abc')
    })

    test('a body that was over before anybody read it does not hang', async () => {
      const upload = await begun('a.bin', 10)
      const ended = Readable.from([])
      ended.resume()
      await once(ended, 'close')
      expect(await storage.append(upload, 0, ended, never())).toBe(0)
      const destroyed = new PassThrough()
      destroyed.destroy()
      expect(await storage.append(upload, 0, destroyed, never())).toBe(0)
    })

    test.each([
      { end: 'fails', how: (body: PassThrough) => body.destroy(new Error('ECONNRESET')) },
      { end: 'is destroyed without an error', how: (body: PassThrough) => body.destroy() },
      { end: 'hangs until the signal aborts', how: (_: PassThrough, stop: AbortController) => stop.abort() },
    ])('of a body that $end a part is kept and told, and the upload goes on behind it', async ({ how }) => {
      const content = randomBytes(300_000)
      const upload = await begun('a.bin', content.length)
      const body = new PassThrough()
      const stop = new AbortController()
      const appended = storage.append(upload, 0, body, stop.signal)
      body.write(content.subarray(0, 200_000))
      await consumed(body)
      how(body, stop)
      const kept = await appended
      expect(kept).toBeLessThanOrEqual(200_000)
      expect(await storage.received(upload)).toBe(kept)
      expect((await stagedContent(upload)).equals(content.subarray(0, kept))).toBe(true)
      expect(await storage.append(upload, kept, streamOf(content.subarray(kept)), never())).toBe(300_000)
      expect((await stagedContent(upload)).equals(content)).toBe(true)
    })

    test('a signal that had aborted before ends an append at once', async () => {
      const upload = await filled('a.bin', Buffer.from('abc'))
      expect(await storage.append(upload, 3, new PassThrough(), AbortSignal.abort())).toBe(3)
    })

    test('uploads do not mix', async () => {
      const uploads = await Promise.all(['a', 'b', 'c', 'd'].map((name) => begun(name, 200_000)))
      await Promise.all(
        uploads.map(async (upload, n) => {
          await storage.append(upload, 0, streamOf(Buffer.alloc(100_000, n), 999), never())
          await storage.append(upload, 100_000, streamOf(Buffer.alloc(100_000, n), 999), never())
        }),
      )
      for (const [n, upload] of uploads.entries()) {
        expect((await stagedContent(upload)).equals(Buffer.alloc(200_000, n))).toBe(true)
      }
    })

    test('an upload whose staged data is gone starts over', async () => {
      const upload = newUpload('a.bin', 3)
      expect(await storage.append(upload, 0, streamOf(Buffer.from('abc')), never())).toBe(3)
      await storage.publish(upload, { overwrite: false })
      expect((await subject.published('a.bin'))?.toString()).toBe('abc')
    })

    test.each(['a.bin', 'deep/er/ä ö 漢字.bin', `${'n'.repeat(255)}`])(
      'publishes %s',
      async (destination) => {
        const content = randomBytes(70_000)
        const upload = await filled(destination, content)
        const file = await storage.publish(upload, { overwrite: false })
        expect(file).toMatchObject({ destination, size: content.length })
        expect((await subject.published(destination))?.equals(content)).toBe(true)
        expect(await storage.has(destination)).toBe(true)
      },
    )

    test('publishes a file without bytes', async () => {
      const upload = await begun('empty', 0)
      expect(await storage.publish(upload, { overwrite: false })).toMatchObject({ size: 0 })
      expect((await subject.published('empty'))?.length).toBe(0)
    })

    test.each([{ overwrite: false }, { overwrite: true }])(
      'a publication can be repeated with overwrite $overwrite, as after a crash',
      async (options) => {
        const content = randomBytes(1000)
        const upload = await filled('a/b.bin', content)
        const first = await storage.publish(upload, options)
        expect(await storage.publish(upload, options)).toEqual(first)
        expect((await subject.published('a/b.bin'))?.equals(content)).toBe(true)
      },
    )

    test('without overwriting, a file that is there stays, and so does the upload', async () => {
      await publishNow('a.bin', 'old')
      const upload = await filled('a.bin', Buffer.from('new'))
      await expect(storage.publish(upload, { overwrite: false })).rejects.toMatchObject({
        code: 'destination-taken',
      })
      expect((await subject.published('a.bin'))?.toString()).toBe('old')
      expect(await storage.received(upload)).toBe(3)
      await expect(storage.publish(upload, { overwrite: false })).rejects.toMatchObject({
        code: 'destination-taken',
      })
    })

    test('with overwriting, the new file takes the place of the old one', async () => {
      await publishNow('a.bin', 'old')
      const upload = await filled('a.bin', Buffer.from('newer'))
      expect(await storage.publish(upload, { overwrite: true })).toMatchObject({ size: 5 })
      expect((await subject.published('a.bin'))?.toString()).toBe('newer')
    })

    test('of uploads that race for one name exactly one wins, whole', async () => {
      for (let round = 0; round < 10; round++) {
        const destination = `race/${round}.bin`
        const contents = Array.from({ length: 8 }, (_, n) => Buffer.alloc(2000 + n, n))
        const uploads = await Promise.all(contents.map((content) => filled(destination, content)))
        const results = await Promise.allSettled(
          uploads.map((upload) => storage.publish(upload, { overwrite: false })),
        )
        const winners = results.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []))
        expect(winners).toHaveLength(1)
        const won = contents[winners[0] ?? -1]
        expect(won && (await subject.published(destination))?.equals(won)).toBe(true)
        const losers = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
        expect(losers.map(({ code }) => code)).toEqual(Array(7).fill('destination-taken'))
      }
    })

    test('of uploads that race with overwriting all are published, and one stands there whole', async () => {
      const contents = Array.from({ length: 8 }, (_, n) => Buffer.alloc(2000 + n, n))
      const uploads = await Promise.all(contents.map((content) => filled('race.bin', content)))
      await Promise.all(uploads.map((upload) => storage.publish(upload, { overwrite: true })))
      const standing = await subject.published('race.bin')
      expect(contents.some((content) => standing?.equals(content))).toBe(true)
    })

    test('a discarded upload is gone, and may be discarded again', async () => {
      const upload = await filled('a.bin', Buffer.from('abc'))
      await storage.discard(upload)
      expect(await storage.received(upload)).toBe(0)
      await storage.discard(upload)
      await storage.discard(newUpload('never.bin'))
      expect(await subject.published('a.bin')).toBeUndefined()
    })

    test('discarding an upload leaves its published file alone', async () => {
      const upload = await filled('a.bin', Buffer.from('abc'))
      await storage.publish(upload, { overwrite: false })
      await storage.discard(upload)
      await storage.discard(upload)
      expect((await subject.published('a.bin'))?.toString()).toBe('abc')
      expect(await storage.has('a.bin')).toBe(true)
      expect(await storage.received(upload)).toBe(0)
    })

    test('lists what is staged, if it lists at all', async () => {
      if (!storage.staged) return
      const before = Date.now() - 2000
      const staged = await filled('staged.bin', Buffer.from('abc'))
      const empty = await begun('empty.bin')
      const discarded = await filled('discarded.bin', Buffer.from('abc'))
      await storage.discard(discarded)
      const published = await filled('published.bin', Buffer.from('abc'))
      await storage.publish(published, { overwrite: false })
      await storage.discard(published)
      const found = []
      for await (const entry of storage.staged()) found.push(entry)
      expect(found.map(({ id }) => id).sort()).toEqual([staged.id, empty.id].sort())
      for (const { lastModified } of found) expect(lastModified.getTime()).toBeGreaterThan(before)
    })

    async function publishNow(destination: string, text: string): Promise<void> {
      const upload = await filled(destination, Buffer.from(text))
      await storage.publish(upload, { overwrite: false })
      await storage.discard(upload)
    }
  })
}

const never = (): AbortSignal => new AbortController().signal

/** `content` in chunks of these sizes, over and over. */
function streamOf(content: Buffer, ...sizes: number[]): Readable {
  const chunks: Buffer[] = []
  for (let at = 0, n = 0; at < content.length; n++) {
    const size = sizes[n % sizes.length] ?? content.length
    chunks.push(content.subarray(at, at + size))
    at += size
  }
  return Readable.from(chunks)
}

async function contentOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Resolves when the storage has taken all that was written. */
async function consumed(body: PassThrough): Promise<void> {
  while (body.readableLength > 0 || body.writableLength > 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}
