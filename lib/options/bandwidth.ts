import type { BitsUploadOptions } from '../../types/options.js'
import { findUnknownKey } from '../validation/check-options.js'
import type { Names } from '../validation/value-checks.js'

const RATES: Names<Extract<BitsUploadOptions['maxBandwidth'], object>> = { perSession: true, total: true }

/** Checks the option `maxBandwidth`. */
export function isBandwidth(value: unknown): string | undefined {
  const expected = 'bytes per second, a number above 0, or { perSession, total } with such numbers'
  const isRate = (rate: unknown) => typeof rate === 'number' && rate > 0
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return isRate(value) ? undefined : expected
  const unknown = findUnknownKey(value, RATES)
  if (unknown !== undefined) return `${expected}; there is no ${unknown}`
  return Object.values(value).every((rate) => rate === undefined || isRate(rate)) ? undefined : expected
}

/** Bytes per second; `Infinity` if there is no limit. */
export function bandwidthLimits(maxBandwidth: BitsUploadOptions['maxBandwidth']): {
  readonly perSession: number
  readonly total: number
} {
  const { perSession, total } = typeof maxBandwidth === 'object' ? maxBandwidth : { total: maxBandwidth }
  return { perSession: perSession ?? Number.POSITIVE_INFINITY, total: total ?? Number.POSITIVE_INFINITY }
}
