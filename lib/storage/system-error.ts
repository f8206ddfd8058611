/**
 * The code of a system error (`ENOENT` and the like). Not asked by `instanceof`: under Jest, or in a `vm` context, an
 * error of `node:fs` belongs to another realm.
 */
export function errorCode(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

/** For `.catch()`: a file that is not there is no failure but `undefined`. */
export function unlessMissing(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined
  throw error
}
