import type { BitsUploadOptions } from '../../types/options.js'
import { findUnknownKey } from '../validation/check-options.js'
import { isInteger, type Names, orInfinity } from '../validation/value-checks.js'

const LIMITS: Names<NonNullable<BitsUploadOptions['maxNewSessions']>> = { perSecond: true, concurrent: true }

/** Checks the option `maxNewSessions`. */
export function isNewSessions(value: unknown): string | undefined {
  const expected = '{ perSecond, concurrent } with numbers'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return expected
  const unknown = findUnknownKey(value, LIMITS)
  if (unknown !== undefined) return `${expected}; there is no ${unknown}`
  const problem = (name: keyof typeof LIMITS, unit: string): string | undefined => {
    const limit: unknown = Reflect.get(value, name)
    if (limit === undefined) return undefined
    const wrong = orInfinity(limit, isInteger(limit, unit, 1))
    return wrong && `${expected}; its ${name} must be ${wrong}`
  }
  return problem('perSecond', 'sessions') ?? problem('concurrent', 'packets')
}
