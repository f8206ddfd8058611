import type { Check } from './check-options.js'

/** Seconds: what fits Node's timers. */
const MAX_INTERVAL = 2 ** 31 / 1000 - 1

/** All names of a type: a list without one of them does not compile. */
export type Names<Type> = Readonly<Record<keyof Type, true>>

/** {@link Names} but those that may be left out. */
export type Needed<Type> = {
  readonly [Name in keyof Type as undefined extends Type[Name] ? never : Name]: true
}

export function objectWith(methods: Readonly<Record<string, true>>, expected: string): Check {
  return (value) => {
    if (typeof value !== 'object' || value === null) return expected
    const missing = Object.keys(methods).filter((name) => typeof Reflect.get(value, name) !== 'function')
    return missing.length === 0
      ? undefined
      : `${expected}; it lacks ${missing.map((name) => `${name}()`).join(', ')}`
  }
}

export const orExpected = (expected: string | undefined, other: string): string | undefined =>
  expected === undefined ? undefined : `${expected}, ${other}`

/** For options where `Infinity` means no limit. */
export const orInfinity = (value: unknown, expected: string | undefined): string | undefined =>
  value === Number.POSITIVE_INFINITY ? undefined : orExpected(expected, 'or Infinity')

export function isInteger(
  value: unknown,
  unit: string,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): string | undefined {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return undefined
  return `a whole number of ${unit}, from ${min} to ${max === Number.MAX_SAFE_INTEGER ? '2^53 - 1' : max}`
}

export function seconds(value: unknown): string | undefined {
  return Number.isFinite(value) && Number(value) > 0 ? undefined : 'a number of seconds above 0'
}

/** Seconds that a timer can count. */
export function interval(value: unknown): string | undefined {
  return seconds(value) ?? (Number(value) > MAX_INTERVAL ? 'at most 24 days, in seconds' : undefined)
}

/** Names of algorithms as `createHash()` of `node:crypto` takes them. */
export const isHashAlgorithm: Check = (value) =>
  value === 'sha256' || value === 'sha512' ? undefined : "'sha256' or 'sha512'"

export function isBoolean(value: unknown): string | undefined {
  return typeof value === 'boolean' ? undefined : 'true or false'
}

export function isFunction(value: unknown): string | undefined {
  return typeof value === 'function' ? undefined : 'a function'
}

export function isPath(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? undefined : 'a path'
}

/** Permissions of a file or directory. */
export function isMode(value: unknown): string | undefined {
  const isValid = Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= 0o7777
  return isValid ? undefined : 'a number from 0 to 0o7777, 0o640 for example'
}

/** @param words all values of a type, which the compiler checks. */
export function isOneOf<Word extends string>(words: Readonly<Record<Word, true>>): Check {
  const quoted = Object.keys(words).map((word) => `'${word}'`)
  const expected = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
  return (value) => (typeof value === 'string' && Object.hasOwn(words, value) ? undefined : expected)
}
