import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Piece } from '../../../lib/storage/s3/cover.js'
import {
  groupParts,
  type Part,
  partSizeOf,
  piecesOf,
  planEqualParts,
  planParts,
} from '../../../lib/storage/s3/plan-parts.js'

const MIN = 50

/** Contiguous pieces, some from the middle of their segments. */
const pieces = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 160 }), fc.nat(10)), { minLength: 1, maxLength: 60 })
  .map((sizes) => {
    let from = 0
    return sizes.map(([size, before], n): Piece => {
      const to = from + size
      const piece = { segment: { key: String(n), start: Math.max(0, from - before), end: to }, from, to }
      from = to
      return piece
    })
  })

/** Fails unless the parts contain the same bytes in the same order. */
function expectSameBytes(parts: readonly Part[], all: readonly Piece[]): void {
  const places = (list: readonly Piece[]) =>
    list.flatMap(({ segment, from, to }) =>
      Array.from({ length: to - from }, (_, n) => `${segment.key}:${from + n}`),
    )
  expect(places(parts.flatMap(piecesOf)).join()).toBe(places(all).join())
}

describe('parts that the service copies', () => {
  test('contain every byte once, in order, in sizes that the service accepts', () => {
    fc.assert(
      fc.property(pieces, (all) => {
        const parts = planParts(all, MIN)
        expectSameBytes(parts, all)
        for (const part of parts.slice(0, -1)) expect(partSizeOf(part)).toBeGreaterThanOrEqual(MIN)
        for (const part of parts) {
          if (part.kind === 'join') expect(partSizeOf(part)).toBeLessThan(2 * MIN)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('copy segments that are large enough as they are', () => {
    const all = [0, 60, 120].map((from, n) => {
      return { segment: { key: String(n), start: from, end: from + 60 }, from, to: from + 60 }
    })
    expect(planParts(all, MIN)).toEqual(all.map((piece) => ({ kind: 'copy', piece })))
  })

  test('of an empty file are none', () => {
    expect(planParts([], MIN)).toEqual([])
  })
})

describe('parts of equal size', () => {
  test('contain every byte once, in order, and only the last may be smaller', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 300 }), (all, size) => {
        const parts = planEqualParts(all, size)
        expectSameBytes(parts, all)
        for (const part of parts.slice(0, -1)) expect(partSizeOf(part)).toBe(size)
        expect(parts.every((part) => partSizeOf(part) <= size)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})

describe('groups of parts', () => {
  test('are no more than the limit, and contain all parts in order', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 20 }), (all, max) => {
        const parts = planParts(all, MIN)
        const groups = groupParts(parts, max)
        expect(groups.length).toBeLessThanOrEqual(max)
        expect(groups.flat()).toEqual(parts)
      }),
    )
  })
})
