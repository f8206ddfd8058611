import fc from 'fast-check'

/** Surrogates are not valid code points. */
const SURROGATES = { first: 0xd800, count: 0x800 }

const codePoint: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 0x10ffff - SURROGATES.count })
  .map((n) => String.fromCodePoint(n < SURROGATES.first ? n : n + SURROGATES.count), numberOf)

/** @throws Error for anything but one code point: fast-check calls it before it splits strings such as `__proto__`. */
function numberOf(text: unknown): number {
  const [point, ...others] = typeof text === 'string' ? text : ''
  const n = point?.codePointAt(0)
  if (n === undefined || others.length > 0) throw new Error('This is not one code point.')
  return n < SURROGATES.first ? n : n - SURROGATES.count
}

/**
 * Strings of any code points, like `fc.string({ unit: 'binary' })`, which spends two seconds on a table of all code
 * points before its first string.
 */
export const anyText = (constraints: Omit<fc.StringConstraints, 'unit'> = {}): fc.Arbitrary<string> =>
  fc.string({ ...constraints, unit: codePoint })
