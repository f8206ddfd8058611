import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from './errors.js'

/** Error codes on Windows for renaming or removing a file that another program has open. */
export const RENAME_FAILURES: ReadonlySet<string> = new Set(['EPERM', 'EBUSY', 'EACCES'])
/** Error codes for opening a file that another program has open exclusively. */
export const OPEN_FAILURES: ReadonlySet<string> = new Set(['EBUSY'])
/** Milliseconds between tries: about a second in all. */
const DELAYS = [10, 20, 40, 80, 160, 320, 400]

/**
 * Repeats a file system call for about a second while it fails with one of these codes: on Windows, virus scanners and
 * indexers have new files open for that long.
 */
export function retryWhileBusy<Arguments extends unknown[], Result>(
  call: (...args: Arguments) => Promise<Result>,
  codes: ReadonlySet<string>,
): (...args: Arguments) => Promise<Result> {
  return async (...args) => {
    for (const wait of DELAYS) {
      try {
        return await call(...args)
      } catch (error) {
        if (!isBusy(error, codes)) throw error
        await delay(wait)
      }
    }
    return call(...args)
  }
}

const isBusy = (error: unknown, codes: ReadonlySet<string>): boolean => codes.has(errorCode(error) ?? '')
