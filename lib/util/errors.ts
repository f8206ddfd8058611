import { types } from 'node:util'

/**
 * The code of a system error, such as `ENOENT`. Not `instanceof`: in Jest or in a `vm` context, an error of `node:fs`
 * belongs to another realm.
 */
export function errorCode(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

/** For `.catch()`: a missing file yields `undefined`. */
export function ignoreNotFound(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined
  throw error
}

/** The thrown value as an error: errors of any realm as they are, anything else as the message of a new one. */
export const asError = (thrown: unknown): Error =>
  types.isNativeError(thrown) || thrown instanceof Error ? thrown : new Error(String(thrown))
