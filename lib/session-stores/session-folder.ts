import { dirname, join } from 'node:path'
import type { SessionRecord } from '../../types/session.js'
import { ignoreNotFound } from '../util/errors.js'
import type { FileSystem } from '../util/fs.js'
import { parseSessionRecord } from './record-file.js'

const OPEN = /^([0-9a-f]{32})\.json$/
const ENDED = /^([0-9a-f]{32})\.ended\.json$/
/** What locks are made of. */
const LOCK_FILE = /^[0-9a-z-]{1,64}\.(?:wanted|lock)$/

/** The files of a session store. Ended sessions have a different kind of name, so that a listing need not read them. */
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
      // The record itself says that the session has ended, so this only costs the time to read it. (On Windows, another
      // process may be reading it.)
      return open
    }
  }

  /** @returns the session of a file with either name; `undefined` if there is none, or it is not of this session. */
  async read(uploadId: string): Promise<SessionRecord | undefined> {
    for (const path of this.pathsOf(uploadId)) {
      const bytes = await this.#fs.readFile(path).catch(ignoreNotFound)
      const record = bytes && parseSessionRecord(bytes.toString())
      if (record?.uploadId === uploadId) return record
    }
    return undefined
  }

  openIds(): AsyncIterable<string> {
    return this.#idsOf(OPEN)
  }

  endedIds(): AsyncIterable<string> {
    return this.#idsOf(ENDED)
  }

  /** The journal of a process that has this folder to itself. */
  get journalPath(): string {
    return join(this.path, 'sessions.journal')
  }

  /** Removes old files of locks, and of sessions: a process that keeps its sessions in a journal uses neither. */
  async removeUnused(before: number): Promise<void> {
    for await (const { name } of await this.#fs.opendir(this.path)) {
      const isUnused = [LOCK_FILE, OPEN, ENDED].some((pattern) => pattern.test(name))
      if (isUnused) await this.#removeIfOlder(join(this.path, name), before)
    }
  }

  /** Removes what a killed process left of its locks. A lock in use is never old. */
  async removeOldLocks(before: number): Promise<void> {
    for await (const { name } of await this.#fs.opendir(this.path)) {
      if (LOCK_FILE.test(name)) await this.#removeIfOlder(join(this.path, name), before)
    }
  }

  /** Removes the remains of a record that a killed process left behind. */
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
