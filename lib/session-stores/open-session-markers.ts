import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { BoundedMap } from '../util/bounded-map.js'
import { errorCode, ignoreNotFound } from '../util/errors.js'
import { type FileSystem, writeText } from '../util/fs.js'
import { KeyedQueue } from '../util/keyed-queue.js'

/** Maximum number of users whose counts are kept in memory. */
const MAX_COUNTS = 10_000
/** Markers that are checked before a session is refused. */
const CHECKED = 16
/** Error codes of `rmdir` for a directory that is in use, or was already removed. */
const KEPT_OR_GONE: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'])
/** Error codes of `readdir` if there is nothing, or a file of another program. */
const NO_DIRECTORY: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR'])
/** Milliseconds for which a marker may exist without a record: the marker is created first. */
const RECORD_DELAY = 60_000

interface OpenSessionMarkersOptions {
  readonly fs: FileSystem
  /** Other processes create markers, too. */
  readonly isShared: boolean
  readonly hasRecord: (uploadId: string) => Promise<boolean>
}

/**
 * Counts the open sessions of each user with an empty file for each of them, in a directory per user. Counting is
 * independent of the sessions of others, and needs no lock between processes: each creates its marker first and then
 * counts, so that of two that want the last place at least one sees the other's.
 */
export class OpenSessionMarkers {
  readonly #folder: string
  readonly #fs: FileSystem
  readonly #hasRecord: (uploadId: string) => Promise<boolean>
  readonly #isShared: boolean
  readonly #queue = new KeyedQueue()
  /** By directory. If other processes also create and remove markers, these are only the last known ones. */
  readonly #counts = new BoundedMap<string, number>(MAX_COUNTS)

  constructor(folder: string, { fs, isShared, hasRecord }: OpenSessionMarkersOptions) {
    this.#folder = folder
    this.#fs = fs
    this.#hasRecord = hasRecord
    this.#isShared = isShared
  }

  /**
   * Marks a session, unless its user has `max`. @returns the number of sessions in that case; `undefined` if it was
   * marked.
   */
  async add(user: string | undefined, uploadId: string, max: number): Promise<number | undefined> {
    const directory = this.#directoryOf(user)
    return this.#queue.run(directory, async () => {
      let count = this.#counts.get(directory)
      // If other processes also create markers, only the count after creating this one is decisive.
      count ??= this.#isShared ? 0 : (await this.#namesIn(directory)).length
      if (count >= max) count = await this.#countWithoutStale(directory)
      if (count >= max) return count
      await this.#mark(directory, uploadId)
      count = this.#isShared ? (await this.#namesIn(directory)).length : count + 1
      this.#counts.set(directory, count)
      if (count <= max) return undefined
      await this.#unmark(directory, uploadId)
      return count - 1
    })
  }

  /** Marks a session, however many its user has. It may be marked already. */
  async set(user: string | undefined, uploadId: string): Promise<void> {
    const directory = this.#directoryOf(user)
    await this.#queue.run(directory, async () => {
      await this.#mark(directory, uploadId).catch((error: unknown) => {
        if (errorCode(error) !== 'EEXIST') throw error
      })
      this.#counts.delete(directory)
    })
  }

  /** The session has ended, or was not created after all. */
  async remove(user: string | undefined, uploadId: string): Promise<void> {
    const directory = this.#directoryOf(user)
    await this.#queue.run(directory, () => this.#unmark(directory, uploadId))
  }

  /**
   * Removes markers older than `before` that a killed process left without their sessions, and the directories of users
   * who have no open session.
   */
  async clean(before: number): Promise<void> {
    const users = await this.#fs.opendir(this.#folder).catch(ignoreNotFound)
    if (!users) return
    for await (const { name } of users) {
      const directory = join(this.#folder, name)
      await this.#queue.run(directory, async () => {
        for (const uploadId of await this.#namesIn(directory)) {
          if (await this.#removeIfStale(directory, uploadId, before)) this.#countOneLess(directory)
        }
        await this.#removeIfEmpty(directory)
      })
    }
    await this.#removeIfEmpty(this.#folder)
  }

  #directoryOf(user: string | undefined): string {
    const name =
      user === undefined ? 'anonymous' : createHash('sha256').update(user).digest('hex').slice(0, 32)
    return join(this.#folder, name)
  }

  /** Removes markers that a killed process left without their sessions: a few of them each time, for any user. */
  async #countWithoutStale(directory: string): Promise<number> {
    const before = Date.now() - RECORD_DELAY
    const names = await this.#namesIn(directory)
    const start = Math.floor(Math.random() * names.length)
    const checked = [...names.slice(start), ...names.slice(0, start)].slice(0, CHECKED)
    const removed = await Promise.all(checked.map((name) => this.#removeIfStale(directory, name, before)))
    const left = names.length - removed.filter(Boolean).length
    this.#counts.set(directory, left)
    return left
  }

  async #removeIfStale(directory: string, uploadId: string, before: number): Promise<boolean> {
    const path = join(directory, uploadId)
    const facts = await this.#fs.stat(path).catch(ignoreNotFound)
    if (!facts || facts.mtimeMs >= before || (await this.#hasRecord(uploadId))) return false
    await this.#fs.unlink(path).catch(ignoreNotFound)
    return true
  }

  async #removeIfEmpty(directory: string): Promise<void> {
    await this.#fs.rmdir(directory).catch((error: unknown) => {
      if (!KEPT_OR_GONE.has(errorCode(error))) throw error
    })
  }

  async #namesIn(directory: string): Promise<string[]> {
    try {
      return await this.#fs.readdir(directory)
    } catch (error) {
      if (NO_DIRECTORY.has(errorCode(error))) return []
      throw error
    }
  }

  async #unmark(directory: string, uploadId: string): Promise<void> {
    const wasThere = await this.#fs.unlink(join(directory, uploadId)).then(() => true, ignoreNotFound)
    if (wasThere) this.#countOneLess(directory)
  }

  #countOneLess(directory: string): void {
    const count = this.#counts.get(directory)
    if (count !== undefined) this.#counts.set(directory, count - 1)
  }

  async #mark(directory: string, uploadId: string): Promise<void> {
    const path = join(directory, uploadId)
    try {
      await writeText(path, 'wx', '', undefined, this.#fs)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
      await this.#fs.mkdir(directory, { recursive: true, mode: 0o700 })
      await writeText(path, 'wx', '', undefined, this.#fs)
    }
  }
}
