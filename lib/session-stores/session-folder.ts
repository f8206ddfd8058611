import { dirname, join } from 'node:path'
import { ignoreNotFound } from '../util/errors.js'
import type { FileSystem } from '../util/fs.js'

const OPEN = /^([0-9a-f]{32})\.json$/
const ENDED = /^([0-9a-f]{32})\.ended\.json$/
/** What locks are made of. */
const LOCK_FILE = /^[0-9a-z-]{1,64}\.(?:wanted|lock)$/

/** The files of a session store. Ended sessions have names of their own, so that a listing need not read them. */
export class SessionFolder {
  readonly path: string
  readonly #fs: FileSystem

  constructor(path: string, fs: FileSystem) {
    this.path = path
    this.#fs = fs
  }

  async create(): Promise<void> {
    await this.#fs.mkdir(dirname(this.path), { recursive: true })
    await this.#fs.mkdir(this.path, { recursive: true, mode: 0o700 })
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
      await this.#fs.rename(open, ended)
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
    for await (const { name } of await this.#fs.opendir(this.path)) {
      if (LOCK_FILE.test(name)) await this.#removeIfOlder(join(this.path, name), before)
    }
  }

  /** Removes what a killed process left of a record: it is of no use. */
  async removeIfOlder(uploadId: string, before: number): Promise<void> {
    for (const path of this.pathsOf(uploadId)) await this.#removeIfOlder(path, before)
  }

  async *#idsOf(pattern: RegExp): AsyncIterable<string> {
    for await (const { name } of await this.#fs.opendir(this.path)) {
      const uploadId = pattern.exec(name)?.[1]
      if (uploadId !== undefined) yield uploadId
    }
  }

  async remove(uploadId: string): Promise<void> {
    for (const path of this.pathsOf(uploadId)) await this.#fs.unlink(path).catch(ignoreNotFound)
  }

  async #removeIfOlder(path: string, before: number): Promise<void> {
    const facts = await this.#fs.stat(path).catch(ignoreNotFound)
    if (facts && facts.mtimeMs < before) await this.#fs.rm(path, { force: true, recursive: true })
  }
}
