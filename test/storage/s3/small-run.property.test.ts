import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Segment } from '../../../lib/storage/s3/keys.js'
import { SMALL, smallRun } from '../../../lib/storage/s3/small-run.js'

const MIB = 1024 * 1024

/** In the order of a listing. */
const listed = (segments: readonly Segment[]): Segment[] =>
  [...segments].sort((a, b) => b.end - a.end || a.start - b.start)

const size = ({ start, end }: Segment): number => end - start

/** Uploads in fragments of one size, merging as needed. Returns the cost. */
function upload(fragment: number, count: number) {
  const total = fragment * count
  let segments: Segment[] = []
  let merges = 0
  let read = 0
  let written = 0
  let most = 0
  for (let n = 0; n < count; n++) {
    segments.push({ key: `${n}`, start: n * fragment, end: (n + 1) * fragment })
    written += fragment
    const run = smallRun(listed(segments).slice(0, 100), total)
    if (run) {
      const joint = { key: `joint ${n}`, start: run.at(-1)?.start ?? 0, end: run[0]?.end ?? 0 }
      segments = [...segments.filter((segment) => !run.includes(segment)), joint]
      merges++
      read += run.length
      written += size(joint)
    }
    most = Math.max(most, segments.filter((segment) => size(segment) < SMALL).length)
  }
  return {
    put: 1 + merges / count,
    get: read / count,
    written: written / total,
    most,
    segments: segments.length,
  }
}

describe('small segments', () => {
  test.each([
    [5 * 1024, 20_000, { put: 1.04, get: 1.05, written: 3, most: 64 }],
    [64 * 1024, 4000, { put: 1.04, get: 1.04, written: 3, most: 40 }],
    [1_000_000, 500, { put: 1.12, get: 1.01, written: 2.01, most: 9 }],
    [4_900_000, 200, { put: 1.5, get: 1.01, written: 2.01, most: 2 }],
    [13_000_000, 100, { put: 1, get: 0, written: 1, most: 0 }],
  ])('of fragments of %d bytes need few requests', (fragment, count, limit) => {
    const cost = upload(fragment, count)
    expect(cost.put).toBeLessThanOrEqual(limit.put)
    expect(cost.get).toBeLessThanOrEqual(limit.get)
    expect(cost.written).toBeLessThanOrEqual(limit.written)
    expect(cost.most).toBeLessThanOrEqual(limit.most)
  })

  test('of a file of 5 KB fragments become objects of more than 5 MiB', () => {
    const { segments } = upload(5 * 1024, 20_000)
    expect(segments).toBeLessThan((20_000 * 5 * 1024) / SMALL + 64)
  })

  test('that are merged are adjacent or overlap, from the newest down, and none is large', () => {
    const segments = fc
      .array(fc.tuple(fc.nat(40 * MIB), fc.integer({ min: 1, max: 6 * MIB })), { maxLength: 100 })
      .map((all) => all.map(([start, length], n): Segment => ({ key: `${n}`, start, end: start + length })))
    fc.assert(
      fc.property(segments, (all) => {
        const sorted = listed(all)
        const run = smallRun(sorted, undefined)
        if (!run) return
        expect(run[0]).toBe(sorted[0])
        expect(run.every((segment) => size(segment) < SMALL)).toBe(true)
        for (const [n, segment] of run.slice(1).entries()) {
          expect(segment.start).toBeLessThan(run[n]?.start ?? 0)
          expect(segment.end).toBeGreaterThanOrEqual(run[n]?.start ?? 0)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('are left alone while they are few', () => {
    const few = Array.from({ length: 31 }, (_, n) => ({ key: `${n}`, start: n * 100, end: (n + 1) * 100 }))
    expect(smallRun(listed(few), undefined)).toBeUndefined()
    expect(smallRun([], undefined)).toBeUndefined()
  })
})
