import type { IisProperties } from '../../types/iis.js'

/** A property as text; `undefined` when it is not set, for which tools also write `null`. */
export function readString(properties: IisProperties, name: keyof IisProperties): string | undefined {
  const value = String(properties[name] ?? '').trim()
  return value === '' ? undefined : value
}

/** `undefined` when it is not set. @throws TypeError that names the property and its value. */
export function readBoolean(properties: IisProperties, name: keyof IisProperties): boolean | undefined {
  const value = readString(properties, name)?.toLowerCase()
  if (value === undefined) return undefined
  if (value === '1' || value === 'true') return true
  if (value === '0' || value === 'false') return false
  throw invalid(`${name} is ${JSON.stringify(properties[name])}: use 0 or 1, true or false`)
}

/** What IIS writes for "no limit" in a DWORD. */
export const INFINITE = 0xffffffff

/**
 * A DWORD; `undefined` when it is not set. ADSI shows large ones as negative numbers, {@link INFINITE} as -1.
 *
 * @throws TypeError that names the property, its value and the range.
 */
export function readInteger(
  properties: IisProperties,
  name: keyof IisProperties,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const value = readString(properties, name)
  if (value === undefined) return undefined
  const number = /^-?\d+$/.test(value) ? unsigned(Number(value)) : Number.NaN
  if (number >= min && number <= max) return number
  throw invalid(`${name} is ${JSON.stringify(properties[name])}: use a whole number from ${min} to ${max}`)
}

const unsigned = (number: number): number => (number < 0 && number >= -(2 ** 31) ? number + 2 ** 32 : number)

/** @throws TypeError that names the property and its value. */
export function refuseOtherThanNumber(properties: IisProperties, name: keyof IisProperties): void {
  const value = readString(properties, name)
  // ADSI shows large numbers as negative ones.
  if (value === undefined || /^-?\d+$/.test(value)) return
  throw invalid(`${name} is ${JSON.stringify(properties[name])}: use a whole number`)
}

export const invalid = (message: string): TypeError =>
  new TypeError(`iisOptions(): ${message}${message.endsWith('?') ? '' : '.'}`)
