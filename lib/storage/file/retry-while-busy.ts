import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from '../../util/errors.js'
import type { FileSystem } from '../../util/fs.js'

/** What Windows answers while a virus scanner or an indexer has a file open. */
const BUSY = new Set(['EPERM', 'EBUSY', 'EACCES'])
/** Milliseconds between tries: about a second in all. */
const DELAYS = [10, 20, 40, 80, 160, 320, 400]

/** A file system whose renames and removals tolerate programs that have new files open, for about a second. */
export const retryWhileBusy = (fs: FileSystem): FileSystem => ({
  ...fs,
  rename: (from, to) => patiently(() => fs.rename(from, to)),
  unlink: (path) => patiently(() => fs.unlink(path)),
})

async function patiently(work: () => Promise<void>): Promise<void> {
  for (const wait of DELAYS) {
    try {
      return await work()
    } catch (error) {
      if (!BUSY.has(errorCode(error) ?? '')) throw error
      await delay(wait)
    }
  }
  return work()
}
