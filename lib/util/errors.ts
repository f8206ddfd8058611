import { types } from 'node:util'

/**
 * The code of a system error (`ENOENT` and the like). Not asked by `instanceof`: under Jest, or in a `vm` context, an
 * error of `node:fs` belongs to another realm.
 */
export function errorCode(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

/** For `.catch()`: a file that is not there is no failure but `undefined`. */
export function ignoreNotFound(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined
  throw error
}

/** What was thrown, as an error: of any realm as it is, and anything else as the message of a new one. */
export const asError = (thrown: unknown): Error =>
  types.isNativeError(thrown) || thrown instanceof Error ? thrown : new Error(String(thrown))
