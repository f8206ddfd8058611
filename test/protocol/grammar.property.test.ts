import { describe, expect, test } from '@jest/globals'
import { BitsError } from 'express-bits-upload'
import fc from 'fast-check'
import { parseContentRange, rangeLength } from '../../lib/protocol/content-range.js'
import { parseProtocols } from '../../lib/protocol/guids.js'
import { anyText } from '../support/any-text.js'

const MAX = Number.MAX_SAFE_INTEGER

/** The result of a function, or the code of the `BitsError` that it throws. Any other error fails the test. */
function outcome<Value>(work: () => Value): Value | string {
  try {
    return work()
  } catch (error) {
    if (error instanceof BitsError) return error.code
    throw error
  }
}

describe('parseContentRange (MC-BUP 2.2.6.1)', () => {
  const ordered = fc
    .tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.integer({ min: 1, max: MAX }))
    .map((numbers) => numbers.sort((a, b) => a - b))
    .filter(([, last = 0, total = 0]) => last < total)

  test('reads back every range, in any spelling', () => {
    const unit = fc.mixedCase(fc.constant('bytes'))
    const space = fc.stringMatching(/^[ \t]{1,3}$/)
    const zeros = fc.stringMatching(/^0{0,3}$/)
    fc.assert(
      fc.property(ordered, unit, space, zeros, ([first = 0, last = 0, total = 0], bytes, gap, zero) => {
        const range = parseContentRange(`${bytes}${gap}${zero}${first}-${last}/${zero}${total}`)
        expect(range).toEqual({ first, last, total })
        expect(rangeLength(range)).toBe(last - first + 1)
      }),
      { examples: [[[0, MAX - 1, MAX], 'bytes', ' ', '']] },
    )
  })

  test('refuses every range that exceeds its total', () => {
    const anything = fc.tuple(fc.nat(), fc.nat(), fc.nat())
    const outside = anything.filter(([first, last, total]) => last < first || last >= total)
    fc.assert(
      fc.property(outside, ([first, last, total]) => {
        expect(outcome(() => parseContentRange(`bytes ${first}-${last}/${total}`))).toBe('invalid-range')
      }),
    )
  })

  test('turns any text into a valid range or a refusal', () => {
    const almost = fc
      .array(fc.constantFrom('bytes', ' ', '-', '/', '*', '0', '7', '9007199254740991', '1e3', '+', '\n', ''))
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(anyText(), almost), (text) => {
        const range = outcome(() => parseContentRange(text))
        if (typeof range === 'string') return expect(['invalid-range', 'upload-too-large']).toContain(range)
        if (range.total === 0) return expect(range).toEqual({ first: 0, last: -1, total: 0 })
        const { first, last, total } = range
        expect(0 <= first && first <= last && last < total && Number.isSafeInteger(total)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('parseProtocols (D20)', () => {
  const separator = fc.stringMatching(/^[ ,\t]{1,3}$/)
  const written = fc.record({ guid: fc.uuid(), braces: fc.boolean(), upper: fc.boolean(), after: separator })

  test('reads back every list, at most the first 100', () => {
    fc.assert(
      fc.property(fc.array(written, { maxLength: 130 }), (list) => {
        const text = list.map(({ guid, braces, upper, after }) => {
          const cased = upper ? guid.toUpperCase() : guid
          return (braces ? `{${cased}}` : cased) + after
        })
        expect(parseProtocols(text.join(''))).toEqual(list.map(({ guid }) => guid).slice(0, 100))
      }),
    )
  })

  test('turns any text into at most 100 names without separators', () => {
    fc.assert(
      fc.property(anyText({ maxLength: 4096, size: 'max' }), (text) => {
        const list = parseProtocols(text)
        expect(list.length).toBeLessThanOrEqual(100)
        expect(list.filter((name) => /[\s,]/.test(name))).toEqual([])
      }),
    )
  })
})
