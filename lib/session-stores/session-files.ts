import { constants } from 'node:fs'
import { join } from 'node:path'
import type { SessionChange, SessionRecord } from '../../types/session.js'
import { hasEnded } from '../sessions/record.js'
import { BoundedMap } from '../util/bounded-map.js'
import { ignoreNotFound } from '../util/errors.js'
import { type FileSystem, type Sync, syncDirectory, writeText } from '../util/fs.js'
import { KeyedQueue } from '../util/keyed-queue.js'
import type { HeldLocks } from './held-locks.js'
import { OpenSessionMarkers } from './open-session-markers.js'
import { changeLine, parseSessionRecord, recordLine } from './record-file.js'
import type { SessionFolder } from './session-folder.js'
import type { StoredSessions } from './stored-sessions.js'

/** Appends to an existing file: a session that another process has deleted must not come back. */
const APPEND_EXISTING = constants.O_WRONLY | constants.O_APPEND
/** Sessions that are also kept in memory. */
const MAX_KNOWN = 1000

/** A session as read from its file when the file had this size. */
interface Known {
  readonly record: SessionRecord
  readonly path: string
  readonly size: number
}

interface SessionFilesOptions {
  readonly fs: FileSystem
  readonly locks: HeldLocks
  /** Whether other processes change the files, too. */
  readonly isShared: boolean
  /** Whether to flush each record and each change to the disk. */
  readonly isDurable: boolean
}

/**
 * Sessions as files, one each: a line of JSON, and one more for each change. If a process is killed, or the disk is
 * full, a change is either complete or lost, as incomplete lines are ignored.
 *
 * A file only ever grows. A file with its old size therefore has its old content, and is not read again, even if
 * other processes write to it. Replacing files would cost more: ext4 writes the new one to the disk at once.
 */
export class SessionFiles implements StoredSessions {
  readonly #fs: FileSystem
  readonly #folder: SessionFolder
  readonly #markers: OpenSessionMarkers
  readonly #sync: Sync | undefined
  readonly #isShared: boolean
  readonly #locks: HeldLocks
  readonly #turns = new KeyedQueue()
  readonly #known = new BoundedMap<string, Known>(MAX_KNOWN)

  constructor(folder: SessionFolder, { fs, locks, isShared, isDurable }: SessionFilesOptions) {
    this.#fs = fs
    this.#folder = folder
    this.#locks = locks
    this.#isShared = isShared
    this.#sync = isDurable ? fs.fsync : undefined
    this.#markers = new OpenSessionMarkers(join(folder.path, 'users'), {
      fs,
      isShared,
      hasRecord: async (uploadId) =>
        (await fs.stat(folder.pathOf(uploadId)).catch(ignoreNotFound)) !== undefined,
    })
  }

  /**
   * Stores sessions from elsewhere, unless there are files of them: an earlier attempt was interrupted, and another
   * process may have changed them since.
   */
  async adopt(records: Iterable<SessionRecord>): Promise<void> {
    for (const record of records) {
      const { uploadId, user } = record
      const known = await this.#read(uploadId)
      const [open, ended] = this.#folder.pathsOf(uploadId)
      const path = hasEnded(record) ? ended : open
      if (!known) await writeText(path, 'w', recordLine(record), this.#sync, this.#fs)
      if (!hasEnded(known?.record ?? record)) await this.#markers.set(user, uploadId)
    }
    if (this.#sync) await syncDirectory(this.#folder.path, this.#sync, this.#fs)
  }

  async create(record: SessionRecord): Promise<void> {
    const path = this.#folder.pathOf(record.uploadId)
    const size = await writeText(path, 'wx', recordLine(record), this.#sync, this.#fs).catch(
      async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') await this.#fs.unlink(path).catch(ignoreNotFound)
        throw error
      },
    )
    if (this.#sync) await syncDirectory(this.#folder.path, this.#sync, this.#fs)
    this.#known.set(record.uploadId, { record, path, size })
  }

  /**
   * Costs two more calls of the file system, and where processes share the directory, a listing of the sessions of this
   * user. Sessions that were created without a limit do not count.
   */
  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    const { user, uploadId } = record
    const count = await this.#markers.add(user, uploadId, max)
    if (count !== undefined) return count
    try {
      await this.create(record)
    } catch (error) {
      await this.#markers.remove(user, uploadId)
      throw error
    }
    return undefined
  }

  async get(uploadId: string): Promise<SessionRecord | undefined> {
    return (await this.#read(uploadId))?.record
  }

  async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#turns.run(uploadId, async () => {
      // Changes of other processes are in the file, which then has another size: the next read finds them.
      let current = this.#memoryOf(uploadId) ?? (await this.#read(uploadId))
      while (current) {
        const changes = change(current.record)
        if (!changes) return undefined
        this.#locks.assertNotLost(uploadId)
        const line = changeLine(changes)
        const added = await writeText(current.path, APPEND_EXISTING, line, this.#sync, this.#fs).catch(
          ignoreNotFound,
        )
        if (added !== undefined) return this.#changed(current, changes, added)
        // Another process has ended or deleted it.
        this.#known.delete(uploadId)
        current = await this.#read(uploadId)
      }
      return undefined
    })
  }

  async delete(uploadId: string): Promise<void> {
    await this.#turns.run(uploadId, async () => {
      const known = this.#memoryOf(uploadId) ?? (await this.#read(uploadId))
      await this.#folder.remove(uploadId)
      this.#known.delete(uploadId)
      if (known && !hasEnded(known.record)) await this.#markers.remove(known.record.user, uploadId)
    })
  }

  async *list({ openOnly = false } = {}): AsyncIterable<SessionRecord> {
    const listed = new Set<string>()
    for await (const uploadId of this.#folder.openIds()) {
      const record = await this.get(uploadId)
      if (!record) continue
      if (!openOnly) listed.add(uploadId)
      yield record
    }
    if (openOnly) return
    for await (const uploadId of this.#folder.endedIds()) {
      // It was listed already when it has ended since.
      const record = listed.has(uploadId) ? undefined : await this.get(uploadId)
      if (record) yield record
    }
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    yield* this.#idle(this.#folder.openIds(), before)
    yield* this.#idle(this.#folder.endedIds(), before)
    await this.#folder.removeOldLocks(before)
    await this.#markers.clean(before)
  }

  ended(before: number): AsyncIterable<SessionRecord> {
    return this.#idle(this.#folder.endedIds(), before)
  }

  async *#idle(ids: AsyncIterable<string>, before: number): AsyncIterable<SessionRecord> {
    for await (const uploadId of ids) {
      const record = await this.get(uploadId)
      if (!record) await this.#folder.removeIfOlder(uploadId, before)
      else if (record.lastActivity < before) yield record
    }
  }

  async #changed(current: Known, changes: SessionChange, added: number): Promise<SessionRecord> {
    const record = { ...current.record, ...changes }
    const { uploadId, user } = record
    let { path } = current
    if (hasEnded(record) && !hasEnded(current.record)) {
      path = await this.#folder.markEnded(uploadId)
      await this.#markers.remove(user, uploadId)
    }
    this.#known.set(uploadId, { record, path, size: current.size + added })
    return record
  }

  async #read(uploadId: string): Promise<Known | undefined> {
    const [open, ended] = this.#folder.pathsOf(uploadId)
    return (await this.#readFile(uploadId, open)) ?? (await this.#readFile(uploadId, ended))
  }

  /** @returns `undefined` also for a file that is not the record of this session (B8). */
  async #readFile(uploadId: string, path: string): Promise<Known | undefined> {
    const facts = await this.#fs.stat(path).catch(ignoreNotFound)
    if (!facts) return undefined
    const known = this.#memoryOf(uploadId)
    if (known?.path === path && facts.size === known.size) return known
    const bytes = await this.#fs.readFile(path).catch(ignoreNotFound)
    const record = bytes && parseSessionRecord(bytes.toString())
    if (record?.uploadId !== uploadId) return undefined
    return this.#known.set(uploadId, { record, path, size: bytes?.length ?? 0 })
  }

  /** Processes on several machines use locks; the size that NFS reports may be seconds old there. */
  #memoryOf(uploadId: string): Known | undefined {
    return this.#isShared ? undefined : this.#known.get(uploadId)
  }
}
