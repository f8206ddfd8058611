import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isNote, parseSegment, StagingKeys } from '../../../lib/storage/s3/keys.js'

const ID = '0123456789abcdef0123456789abcdef'
const keys = new StagingKeys('a/b/')

const positions = fc
  .tuple(fc.maxSafeNat(), fc.maxSafeNat())
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }))

describe('names of staged objects', () => {
  test('of a segment contain its range', () => {
    fc.assert(
      fc.property(positions, ({ start, end }) => {
        const segment = keys.newSegment(ID, start, end)
        expect(parseSegment(segment.key)).toEqual(segment)
        expect(segment).toMatchObject({ start, end })
        expect(segment.key.startsWith(keys.segmentPrefix(ID))).toBe(true)
        expect(keys.uploadIdOf(segment.key)).toBe(ID)
      }),
    )
  })

  test('sort the segment first that reaches furthest, and is longest', () => {
    fc.assert(
      fc.property(fc.array(positions, { minLength: 2 }), (all) => {
        const segments = all.map(({ start, end }) => keys.newSegment(ID, start, end))
        const sorted = segments.toSorted((a, b) => (a.key < b.key ? -1 : 1))
        const highest = Math.max(...all.map(({ end }) => end))
        const lowest = Math.min(...all.filter(({ end }) => end === highest).map(({ start }) => start))
        expect(sorted[0]).toMatchObject({ start: lowest, end: highest })
      }),
    )
  })

  test('are unique', () => {
    expect(keys.newSegment(ID, 0, 1).key).not.toBe(keys.newSegment(ID, 0, 1).key)
    expect(keys.newNote(ID)).not.toBe(keys.newNote(ID))
  })

  test('of other objects are not taken for segments', () => {
    for (const key of [keys.reply(ID), keys.newNote(ID), keys.newProbe(), 'a/b/x', `a/b/${ID}/s/1-2-3`]) {
      expect(parseSegment(key)).toBeUndefined()
    }
    expect(isNote(keys.newNote(ID))).toBe(true)
    expect(isNote(keys.reply(ID))).toBe(false)
    expect(keys.uploadIdOf(keys.newProbe())).toBeUndefined()
    expect(keys.uploadIdOf(`other/${ID}/r`)).toBeUndefined()
  })
})
