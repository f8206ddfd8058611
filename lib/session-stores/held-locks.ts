import type { LockOptions, ReleaseLock } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import type { FileSystem } from '../util/fs.js'
import { type FileLock, lockFile } from './file-lock.js'

/** The session locks of this process. A process that has lost one must not change the session any more. */
export class HeldLocks {
  readonly #fs: FileSystem
  readonly #locks = new Map<string, FileLock>()

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  /** Like `SessionStore.lock`, with the path of the lock. */
  async acquire(key: string, path: string, options: LockOptions): Promise<ReleaseLock | undefined> {
    const lock = await lockFile(path, options, this.#fs)
    if (!lock) return undefined
    this.#locks.set(key, lock)
    let isReleased = false
    return async () => {
      if (isReleased) return
      isReleased = true
      await lock.release()
      if (this.#locks.get(key) === lock) this.#locks.delete(key)
    }
  }

  /**
   * The last check before a change is written. A process can still be suspended between this check and the write,
   * because files have no conditional write; but not longer than its lock takes to expire.
   *
   * @throws BitsError `session-busy` when this process had the lock on a session, and may have lost it.
   */
  assertNotLost(key: string): void {
    if (!this.#locks.get(key)?.mayBeLost) return
    throw new BitsError('session-busy', `This process has lost the lock on session ${key}.`)
  }
}
