import { mkdir, opendir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ignoreNotFound } from '../util/errors.js'
import { rename, stat, unlink } from '../util/fs.js'

const OPEN = /^([0-9a-f]{32})\.json$/
const ENDED = /^([0-9a-f]{32})\.ended\.json$/
/** What locks are made of. */
const LOCK_FILE = /^[0-9a-z-]{1,64}\.(?:wanted|lock)$/

/** The files of a session store. Ended sessions have names of their own, so that a listing need not read them. */
export class SessionFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  async create(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    await mkdir(this.path, { recursive: true, mode: 0o700 })
  }

  pathOf(uploadId: string): string {
    return join(this.path, `${uploadId}.json`)
  }

  /** The two names that a record may have. It goes from the first to the second, and never back. */
  pathsOf(uploadId: string): readonly [string, string] {
    return [this.pathOf(uploadId), join(this.path, `${uploadId}.ended.json`)]
  }

  /**
   * Renames the record of a session that has ended.
   *
   * @returns where it is now.
   */
  async markEnded(uploadId: string): Promise<string> {
    const [open, ended] = this.pathsOf(uploadId)
    try {
      await rename(open, ended)
      return ended
    } catch {
      // It says itself that it has ended: here it only costs the time to read it. (Windows: another process reads it.)
      return open
    }
  }

  openIds(): AsyncIterable<string> {
    return this.#idsOf(OPEN)
  }

  endedIds(): AsyncIterable<string> {
    return this.#idsOf(ENDED)
  }

  /** Removes what a killed process left of its locks. A lock in use is never old. */
  async removeOldLocks(before: number): Promise<void> {
    for await (const { name } of await opendir(this.path)) {
      if (LOCK_FILE.test(name)) await removeIfOlder(join(this.path, name), before)
    }
  }

  /** Removes what a killed process left of a record: it is of no use. */
  async removeIfOlder(uploadId: string, before: number): Promise<void> {
    for (const path of this.pathsOf(uploadId)) await removeIfOlder(path, before)
  }

  async *#idsOf(pattern: RegExp): AsyncIterable<string> {
    for await (const { name } of await opendir(this.path)) {
      const uploadId = pattern.exec(name)?.[1]
      if (uploadId !== undefined) yield uploadId
    }
  }

  async remove(uploadId: string): Promise<void> {
    for (const path of this.pathsOf(uploadId)) await unlink(path).catch(ignoreNotFound)
  }
}

async function removeIfOlder(path: string, before: number): Promise<void> {
  const facts = await stat(path).catch(ignoreNotFound)
  if (facts && facts.mtimeMs < before) await rm(path, { force: true, recursive: true })
}
