import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { coverOf } from '../../../lib/storage/s3/cover.js'
import type { Segment } from '../../../lib/storage/s3/keys.js'

const segments = fc.array(
  fc.tuple(fc.nat(60), fc.nat(20), fc.nat(1e6)).map(([start, length, nonce]): Segment => {
    return { key: `${start}-${length}-${nonce}`, start, end: start + length }
  }),
  { maxLength: 30 },
)

/** The first position without a segment, found byte by byte. */
function firstHole(all: readonly Segment[]): number {
  let position = 0
  while (all.some(({ start, end }) => start <= position && position < end)) position++
  return position
}

describe('the cover of segments', () => {
  test('has adjacent pieces, each within its segment, up to the first gap', () => {
    fc.assert(
      fc.property(segments, (all) => {
        const { pieces, end, highest } = coverOf(all)
        let position = 0
        for (const { segment, from, to } of pieces) {
          expect(from).toBe(position)
          expect(to).toBeGreaterThan(from)
          expect(segment.start <= from && to <= segment.end).toBe(true)
          position = to
        }
        expect(end).toBe(position)
        expect(end).toBe(firstHole(all))
        expect(highest).toBe(Math.max(0, ...all.map((segment) => segment.end)))
      }),
      { numRuns: 1000 },
    )
  })

  test('does not depend on the order of the segments', () => {
    fc.assert(
      fc.property(segments, (all) => {
        expect(coverOf(all.toReversed()).end).toBe(coverOf(all).end)
      }),
    )
  })

  test('prefers a merged segment to its parts', () => {
    const parts = [0, 10, 20].map((start) => ({ key: `part ${start}`, start, end: start + 10 }))
    const joint = { key: 'joint', start: 0, end: 30 }
    expect(coverOf([...parts, joint]).pieces).toEqual([{ segment: joint, from: 0, to: 30 }])
  })

  test('may begin above 0', () => {
    const segment = { key: 'a', start: 5, end: 9 }
    expect(coverOf([segment], 6).pieces).toEqual([{ segment, from: 6, to: 9 }])
    expect(coverOf([segment], 4)).toEqual({ pieces: [], end: 4, highest: 9 })
  })
})
