import { createHash } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { appendSegments } from '../../../lib/storage/s3/append-segments.js'
import type { BodyHash, HashAlgorithm } from '../../../lib/storage/s3/body-hash.js'
import { BufferBudget } from '../../../lib/storage/s3/buffer-budget.js'
import { never, sample } from './support.js'

const KIB = 1024

/** A client: the sizes of the chunks that it sends, and how many of its bytes arrive before the connection closes. */
const client = fc.record({
  chunks: fc.array(fc.integer({ min: 1, max: 200 * KIB }), { minLength: 1, maxLength: 8 }),
  closesAfter: fc.option(fc.nat(7)),
})

test('uploads that compete for memory store adjacent segments with the right bytes and checksums, and give all memory back', async () => {
  const property = fc.asyncProperty(
    fc.array(client, { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 2, max: 8 }),
    fc.integer({ min: 70, max: 300 }),
    fc.constantFrom<HashAlgorithm>('sha256', 'md5'),
    async (clients, blocks, segmentKib, algorithm) => {
      const budget = new BufferBudget(blocks * 64 * KIB)
      const outcomes = clients.map(async ({ chunks, closesAfter }) => {
        const content = sample(chunks.reduce((sum, length) => sum + length, 0))
        const body = new PassThrough()
        let end = 0
        const put = async (bytes: Buffer, start: number, hash: BodyHash | undefined) => {
          expect(start).toBe(end)
          expect(bytes.length).toBeGreaterThan(0)
          expect(bytes.equals(content.subarray(start, start + bytes.length))).toBe(true)
          expect(hash).toEqual({ algorithm, digest: createHash(algorithm).update(bytes).digest() })
          await new Promise(setImmediate)
          end += bytes.length
        }
        const segmentSize = segmentKib * KIB
        const context = { budget, segmentSize, hashAlgorithm: algorithm, put }
        const stored = appendSegments(context, 0, body, never)
        let sent = 0
        for (const [index, length] of chunks.entries()) {
          if (index === closesAfter) break
          // A copy, which must not change after it was passed on.
          body.write(Buffer.from(content.subarray(sent, sent + length)))
          sent += length
          await new Promise(setImmediate)
        }
        if (closesAfter === null || closesAfter >= chunks.length) body.end()
        else body.destroy()
        expect(await stored).toBe(end)
        expect(end).toBeLessThanOrEqual(sent)
        if (!body.destroyed || body.readableEnded) expect(end).toBe(content.length)
      })
      await Promise.all(outcomes)
      expect(budget.used).toBe(0)
      expect(budget.isContended).toBe(false)
    },
  )
  await fc.assert(property, { numRuns: 150 })
}, 60_000)
