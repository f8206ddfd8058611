import { createHash } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { appendSegments } from '../../../lib/storage/s3/append-segments.js'
import { hashBody } from '../../../lib/storage/s3/body-hash.js'
import { BufferBudget } from '../../../lib/storage/s3/buffer-budget.js'
import { createContext } from '../../../lib/storage/s3/context.js'
import { s3Settings } from '../../../lib/storage/s3/options.js'
import { S3_LIMITS } from '../../../lib/storage/s3/plan-parts.js'
import { BUCKET, FakeS3, type Received } from '../../support/fake-s3/fake-s3.js'
import { Fault } from '../../support/fake-s3/fault.js'
import { md5Of } from '../../support/fake-s3/objects.js'
import type { Rules } from '../../support/fake-s3/rules.js'
import { until } from '../../support/soak.js'
import { MIB, never, openStorage, sample, send, stagedKeys, storageOn, uploadTo, withS3 } from './support.js'

const KIB = 1024

/** Segments in memory. `put` can be blocked. */
function memory(max: number, segmentSize: number) {
  const segments: { start: number; bytes: Buffer }[] = []
  const budget = new BufferBudget(max)
  const gate = { pass: Promise.resolve() }
  const put = async (written: Buffer, start: number) => {
    await gate.pass
    segments.push({ start, bytes: Buffer.from(written) })
  }
  const context = { budget, segmentSize, hashAlgorithm: 'sha256' as const, put }
  return { segments, gate, budget, context }
}

describe('a body', () => {
  test('becomes adjacent segments of full size, except the last', async () => {
    const { context, segments, budget } = memory(100 * MIB, MIB)
    const content = sample(2.5 * MIB)
    const body = Readable.from([
      content.subarray(0, 7),
      content.subarray(7, 2 * MIB),
      content.subarray(2 * MIB),
    ])
    expect(await appendSegments(context, 1000, body, never)).toBe(1000 + content.length)
    expect(segments.map(({ start, bytes: { length } }) => [start, length])).toEqual([
      [1000, MIB],
      [1000 + MIB, MIB],
      [1000 + 2 * MIB, MIB / 2],
    ])
    expect(Buffer.concat(segments.map((segment) => segment.bytes)).equals(content)).toBe(true)
    expect(budget.used).toBe(0)
  })

  test('is not buffered beyond the memory limit, however many bodies there are', async () => {
    const { context, segments, gate, budget } = memory(4 * MIB, MIB)
    let open = () => {}
    gate.pass = new Promise((resolve) => {
      open = resolve
    })
    const content = sample(MIB)
    const appends = Array.from({ length: 10 }, () =>
      appendSegments(context, 0, Readable.from([content, content]), new AbortController().signal),
    )
    await delay(20)
    expect(budget.used).toBeLessThanOrEqual(4 * MIB)
    open()
    expect(await Promise.all(appends)).toEqual(Array(10).fill(2 * MIB))
    expect(segments.reduce((sum, segment) => sum + segment.bytes.length, 0)).toBe(20 * MIB)
    expect(budget.used).toBe(0)
  })

  test('that is slow releases its memory to others that wait for memory', async () => {
    const { context, segments } = memory(128 * KIB, MIB)
    const slow = [new PassThrough(), new PassThrough()]
    const slowAppends = slow.map((body) => appendSegments(context, 0, body, never))
    for (const body of slow) body.write(sample(1000))
    await delay(20)
    expect(segments).toEqual([])
    expect(await appendSegments(context, 0, Readable.from([sample(5000)]), never)).toBe(5000)
    for (const body of slow) body.end(sample(10))
    expect(await Promise.all(slowAppends)).toEqual([1010, 1010])
  })

  test('that waits for memory stops when its signal aborts', async () => {
    const { context, budget } = memory(128 * KIB, MIB)
    expect(budget.tryTake(128 * KIB)).toBeDefined()
    const stop = new AbortController()
    const append = appendSegments(context, 7, Readable.from([sample(5000)]), stop.signal)
    await delay(10)
    stop.abort()
    expect(await append).toBe(7)
    expect(budget.used).toBe(128 * KIB)
  })
})

describe('a body that waits for memory', () => {
  const all = (budget: BufferBudget) => {
    const block = budget.tryTake(128 * KIB)
    if (!block) throw new Error('There is no free memory.')
    return block
  }

  test('is not read beyond the chunk that needs it and the next one, which is in the body', async () => {
    const { context, segments, budget } = memory(128 * KIB, MIB)
    const block = all(budget)
    const content = sample(MIB)
    let read = 0
    const body = new Readable({
      highWaterMark: 16 * KIB,
      read() {
        const chunk = content.subarray(read, read + 64 * KIB)
        read += chunk.length
        setImmediate(() => this.push(chunk.length > 0 ? chunk : null))
      },
    })
    const append = appendSegments(context, 0, body, never)
    await until(() => budget.isContended)
    await delay(20)
    expect(read).toBe(128 * KIB)
    budget.give(block)
    expect(await append).toBe(MIB)
    expect(Buffer.concat(segments.map(({ bytes }) => bytes)).equals(content)).toBe(true)
    expect(budget.used).toBe(0)
  })

  test('leaves the queue as soon as its connection closes', async () => {
    const { context, budget } = memory(128 * KIB, MIB)
    const block = all(budget)
    const body = new PassThrough()
    body.write(sample(5000))
    const append = appendSegments(context, 7, body, never)
    await until(() => budget.isContended)
    body.destroy()
    expect(await append).toBe(7)
    expect(budget.isContended).toBe(false)
    budget.give(block)
    expect(budget.used).toBe(0)
  })

  test('gets it before bodies that began to wait later', async () => {
    const { context, budget } = memory(128 * KIB, MIB)
    const block = all(budget)
    const written: number[] = []
    const put = async (_: Buffer, start: number) => void written.push(start)
    const appends: Promise<number>[] = []
    for (const start of [1000, 2000, 3000]) {
      appends.push(appendSegments({ ...context, put }, start, Readable.from([sample(10)]), never))
      await delay(5)
    }
    expect(written).toEqual([])
    budget.give(block)
    await Promise.all(appends)
    expect(written).toEqual([1000, 2000, 3000])
  })
})

describe('each segment is sent with a hash that the service verifies:', () => {
  const content = sample(12 * MIB)
  const ends = [5 * MIB, 10 * MIB, 12 * MIB]
  const segments = ends.map((end, index) => content.subarray(ends[index - 1] ?? 0, end))

  async function hashesSent(rules: Partial<Rules>): Promise<Pick<Received, 'md5' | 'sha256'>[]> {
    const sent: Pick<Received, 'md5' | 'sha256'>[] = []
    await withS3(rules, async (s3) => {
      const storage = await openStorage(s3, { segmentSize: 5 * MIB })
      s3.trouble = ({ operation, key, md5, sha256 }) => {
        if (operation === 'PutObject' && key.includes('/s/')) sent.push({ md5, sha256 })
        return undefined
      }
      await send(storage, uploadTo('a.bin', content.length), content, content.length)
    })
    return sent
  }

  test('the SHA-256 in the signature', async () => {
    const expected = segments.map((bytes) => ({
      md5: undefined,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    }))
    expect(await hashesSent({})).toEqual(expected)
  })

  test('Content-MD5, if the service does not verify the SHA-256', async () => {
    const expected = segments.map((bytes) => ({
      md5: md5Of(bytes).toString('base64'),
      sha256: createHash('sha256').update(bytes).digest('hex'),
    }))
    expect(await hashesSent({ verifiesSha256: false })).toEqual(expected)
  })

  test.each(['sha256', 'md5'] as const)('bytes with another %s are refused', async (algorithm) => {
    await withS3({}, async (s3) => {
      const { bucket } = createContext(s3Settings({ client: s3.client(), bucket: BUCKET }), S3_LIMITS)
      const hash = hashBody(algorithm, Buffer.from('the bytes that arrived'))
      await bucket.put('file', Buffer.from('the bytes that arrived'), { hash })
      await expect(bucket.put('file', Buffer.from('the bytes that changed'), { hash })).rejects.toThrow(
        /answered 400 (BadDigest|XAmzContentSHA256Mismatch)/,
      )
      expect(s3.objects.find('file')?.bytes.toString()).toBe('the bytes that arrived')
    })
  })
})

describe('a service that fails', () => {
  test('leaves the body alone, and bytes stored earlier count', async () => {
    await withS3({}, async (s3) => {
      const storage = storageOn(s3, { maxAttempts: 1, segmentSize: 5 * MIB })
      const upload = uploadTo('a.bin', 15 * MIB)
      const content = sample(15 * MIB)
      let puts = 0
      s3.trouble = ({ operation }) =>
        operation === 'PutObject' && ++puts > 1 ? new Fault(503, 'SlowDown') : undefined
      const body = new PassThrough()
      body.end(content)
      const failure = await storage.append(upload, 0, body, never).catch((error: unknown) => error)
      expect(failure).toMatchObject({ status: 503, hresult: 0x801901f7, headers: { 'Retry-After': '30' } })
      expect(!body.destroyed || body.readableEnded).toBe(true)
      s3.trouble = () => undefined
      expect(await storage.received(upload)).toBe(5 * MIB)
      await send(storage, upload, content, 13_000_000)
      await storage.publish(upload, { overwrite: false })
      expect(s3.objects.find('a.bin')?.bytes.equals(content)).toBe(true)
    })
  })

  test('is one that does not respond within the timeout', async () => {
    await withS3({}, async (s3) => {
      const storage = storageOn(s3, { timeout: 100 })
      s3.trouble = () => 'hang'
      const body = Readable.from([sample(1000)])
      const failure = await storage.append(uploadTo('a.bin'), 0, body, never).catch((error: unknown) => error)
      expect(failure).toMatchObject({
        status: 503,
        message: expect.stringContaining('PutObject of "uploads/BITS-Sessions/'),
      })
      await expect(storage.received(uploadTo('a.bin'))).rejects.toMatchObject({ status: 503 })
      await expect(storage.has('a.bin')).rejects.toMatchObject({ status: 503 })
      await until(() => s3.inFlight === 0)
    })
  })

  test('is not one that refuses a request, which is a configuration error', async () => {
    await withS3({}, async (s3) => {
      const storage = storageOn(s3, { maxAttempts: 1 })
      const failWith = async (fault: Fault) => {
        s3.trouble = () => fault
        return storage
          .append(uploadTo('a.bin'), 0, Readable.from([sample(9)]), never)
          .catch((error: unknown) => error)
      }
      const refused = await failWith(new Fault(403, 'AccessDenied'))
      expect(refused).toBeInstanceOf(Error)
      expect(refused).not.toHaveProperty('status')
      expect(refused).toMatchObject({ message: expect.stringContaining('403 AccessDenied') })
      expect(await failWith(new Fault(403, 'QuotaExceeded'))).toMatchObject({ code: 'disk-full' })
      expect(await failWith(new Fault(507, 'InsufficientStorage'))).toMatchObject({ code: 'disk-full' })
      expect(await failWith(new Fault(500, 'InternalError'))).toMatchObject({ status: 503 })
    })
  })

  test('is one that cannot be reached', async () => {
    const s3 = await FakeS3.start()
    const storage = storageOn(s3, { maxAttempts: 1 })
    await s3.close()
    const gone = storage.append(uploadTo('a.bin'), 0, Readable.from([sample(9)]), never)
    await expect(gone).rejects.toMatchObject({ status: 503 })
  })
})

describe('small segments', () => {
  test('are merged, and a failure to merge has no effect', async () => {
    await withS3({}, async (s3) => {
      const storage = await openStorage(s3, { maxAttempts: 1 })
      const content = sample(40 * 1000)
      const upload = uploadTo('a.bin', content.length)
      s3.trouble = ({ operation, bytes: size }) =>
        (operation === 'PutObject' && size > 1000) || operation === 'GetObject'
          ? new Fault(403, 'AccessDenied')
          : undefined
      await send(storage, upload, content.subarray(0, 34_000), 1000)
      expect(stagedKeys(s3)).toHaveLength(34)
      s3.trouble = () => undefined
      await send(storage, upload, content.subarray(0, 35_000), 1000)
      expect(stagedKeys(s3)).toHaveLength(1)
      await send(storage, upload, content, 1000)
      await storage.publish(upload, { overwrite: false })
      expect(s3.objects.find('a.bin')?.bytes.equals(content)).toBe(true)
    })
  })
})

describe('listings that lag', () => {
  test.each([1, 2, 5])('behind by %d cause bytes to be sent again, and lose none', async (listingLag) => {
    await withS3({ listingLag }, async (s3) => {
      const storage = await openStorage(s3)
      const content = sample(200_000)
      const upload = uploadTo('a.bin', content.length)
      let published: unknown
      for (let tries = 0; tries < 20 && !published; tries++) {
        await send(storage, upload, content, 50_000)
        published = await storage.publish(upload, { overwrite: false }).catch(() => undefined)
      }
      expect(published).toMatchObject({ size: content.length })
      expect(s3.objects.find('a.bin')?.bytes.equals(content)).toBe(true)
    })
  })
})
