import cluster from 'node:cluster'
import { constants } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { RESERVED_NAME } from '../protocol/reserved-folder.js'
import { hasEnded } from '../sessions/record.js'
import { BoundedMap } from '../util/bounded-map.js'
import { checkWritable } from '../util/check-writable.js'
import { ignoreNotFound } from '../util/errors.js'
import { type FileSystem, nodeFileSystem, type Sync, syncDirectory, writeText } from '../util/fs.js'
import { KeyedQueue } from '../util/keyed-queue.js'
import { checkEach, type OptionChecks } from '../validation/check-options.js'
import { isBoolean, isPath } from '../validation/value-checks.js'
import { type ReleaseLease, takeLease } from './directory-lease.js'
import { HeldLocks } from './held-locks.js'
import { OpenSessionMarkers } from './open-session-markers.js'
import { changeLine, parseSessionRecord, recordLine } from './record-file.js'
import { SessionFolder } from './session-folder.js'

/** Options of a {@link FileSessionStore}. */
export interface FileSessionStoreOptions {
  /** The directory of the uploads; the records are in its `BITS-Sessions`. */
  directory: string
  /**
   * Whether several processes serve this directory. If so, a session is locked while one of its packets is handled,
   * so that two processes never work on one upload. Default: true in a worker of `node:cluster`, otherwise false. Set
   * it for processes that share the directory in other ways: PM2, containers, servers with shared storage.
   */
  shared?: boolean | undefined
  /**
   * Flush each record and each change to the disk, so that a session also survives a power cut. Default: false; next
   * to a `FileStorage` of durability `fragment`: true.
   */
  durable?: boolean | undefined
}

const FILE_SESSION_STORE_CHECKS: OptionChecks<FileSessionStoreOptions> = {
  directory: isPath,
  shared: isBoolean,
  durable: isBoolean,
}

/** Appends to an existing file: a session that another process has deleted must not come back. */
const APPEND = constants.O_WRONLY | constants.O_APPEND
/** Sessions that are also kept in memory. */
const MAX_KNOWN = 1000

/** A session as read from its file when the file had this size. */
interface Known {
  readonly record: SessionRecord
  readonly path: string
  readonly size: number
}

/**
 * Sessions as files, one each, so that they survive a restart: a line of JSON, and one more for each change. If a
 * process is killed, or the disk is full, a change is either complete or lost, as incomplete lines are ignored.
 *
 * A file only ever grows. A file with its old size therefore has its old content, and is not read again, even if
 * other processes write to it. Replacing files would cost more: ext4 writes the new one to the disk at once.
 */
export class FileSessionStore implements SessionStore {
  readonly #fs: FileSystem
  readonly #folder: SessionFolder
  readonly #markers: OpenSessionMarkers
  /** See {@link FileSessionStoreOptions.shared}. */
  readonly lock?: NonNullable<SessionStore['lock']>
  readonly #sync: Sync | undefined
  readonly #locks: HeldLocks
  readonly #turns = new KeyedQueue()
  readonly #known = new BoundedMap<string, Known>(MAX_KNOWN)
  #releaseLease: ReleaseLease | undefined
  #hasAdvised = false

  /** @throws OptionError when an option is invalid. */
  constructor(options: FileSessionStoreOptions, calls: Partial<FileSystem> = {}) {
    checkEach(
      { name: 'FileSessionStore', checks: FILE_SESSION_STORE_CHECKS, required: ['directory'] },
      options,
    )
    const fs = { ...nodeFileSystem, ...calls }
    this.#fs = fs
    this.#folder = new SessionFolder(join(resolve(options.directory), RESERVED_NAME), fs)
    this.#locks = new HeldLocks(fs)
    this.#sync = options.durable ? fs.fsync : undefined
    const isShared = options.shared ?? cluster.isWorker
    this.#markers = new OpenSessionMarkers(join(this.#folder.path, 'users'), {
      fs,
      isShared,
      hasRecord: async (uploadId) =>
        (await fs.stat(this.#folder.pathOf(uploadId)).catch(ignoreNotFound)) !== undefined,
    })
    if (isShared) {
      this.lock = (key, lockOptions) => this.#locks.acquire(key, join(this.#folder.path, key), lockOptions)
    }
  }

  async open(): Promise<void> {
    await this.#folder.create()
    if (this.lock) return this.#tryLock()
    const release = await takeLease(this.#folder.path, this.#fs)
    if (!release) throw this.#heldElsewhere()
    await this.#releaseLease?.()
    this.#releaseLease = release
  }

  /** @throws when the folder of the sessions cannot be written to. */
  check(): Promise<void> {
    return checkWritable(this.#folder.path, 'sessions', this.#fs)
  }

  async close(): Promise<void> {
    await this.#releaseLease?.()
    this.#releaseLease = undefined
  }

  /** Some file systems cannot hold locks: better found out now than by the fragments of each upload. */
  async #tryLock(): Promise<void> {
    const release = await this.lock?.('probe', { timeout: 0, onReleaseRequested: () => {} })
    await release?.()
  }

  /** Two processes that do not know of each other would corrupt each other's uploads. */
  #heldElsewhere(): BitsError {
    const what = `Another process receives uploads in "${dirname(this.#folder.path)}"`
    const advice =
      'If both are to receive uploads there, give each a FileSessionStore with shared: true; otherwise give each a ' +
      'directory of its own. Until the other process has ended, packets are answered 503.'
    const message = this.#hasAdvised ? `${what}.` : `${what}. ${advice}`
    this.#hasAdvised = true
    return new BitsError('session-busy', message)
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
   * Costs two or three more calls of the file system, and where processes share the directory, a listing of the sessions
   * of this user. Sessions that were created without a limit do not count.
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
        const added = await writeText(current.path, APPEND, line, this.#sync, this.#fs).catch(ignoreNotFound)
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
    return this.lock ? undefined : this.#known.get(uploadId)
  }
}
