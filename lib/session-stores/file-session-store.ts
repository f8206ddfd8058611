import cluster from 'node:cluster'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Awaitable } from '../../types/awaitable.js'
import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { RESERVED_NAME } from '../protocol/reserved-folder.js'
import { checkWritable } from '../util/check-writable.js'
import { ignoreNotFound } from '../util/errors.js'
import { type FileSystem, nodeFileSystem } from '../util/fs.js'
import { checkEach, type OptionChecks } from '../validation/check-options.js'
import { isBoolean, isPath } from '../validation/value-checks.js'
import { type DirectoryLease, takeLease } from './directory-lease.js'
import { HeldLocks } from './held-locks.js'
import { isOnLocalFileSystem } from './local-file-system.js'
import { SessionFiles } from './session-files.js'
import { SessionFolder } from './session-folder.js'
import { readJournal } from './session-journal.js'
import { isJournalOpen, openJournal } from './shared-journals.js'
import type { StoredSessions } from './stored-sessions.js'

/** Options of a {@link FileSessionStore}. */
export interface FileSessionStoreOptions {
  /** The directory of the uploads; the sessions are in its `BITS-Sessions`. */
  directory: string
  /**
   * Whether several processes serve this directory. If so, a session is locked while one of its packets is handled,
   * so that two processes never work on one upload. Default: true in a worker of `node:cluster`, otherwise false. Set
   * it for processes that share the directory in other ways: PM2, containers, servers with shared storage.
   */
  shared?: boolean | undefined
  /**
   * Flush each session and each change to the disk, so that it also survives a power cut. Default: false; next
   * to a `FileStorage` of durability `fragment`: true.
   */
  durable?: boolean | undefined
}

const FILE_SESSION_STORE_CHECKS: OptionChecks<FileSessionStoreOptions> = {
  directory: isPath,
  shared: isBoolean,
  durable: isBoolean,
}

/** Milliseconds to wait for another process that moves sessions between a journal and files. */
const MOVE_TIMEOUT = 2_000
const MOVE_RETRY = 50

/**
 * Sessions in the folder `BITS-Sessions`, so that they survive a restart. A process that has the directory to itself
 * keeps them in memory and in one journal. Processes that share a directory, and those that cannot keep others out
 * (Windows, macOS, network drives), keep a file for each session. Whichever way a store finds them, it takes them over.
 */
export class FileSessionStore implements SessionStore {
  readonly #fs: FileSystem
  readonly #folder: SessionFolder
  readonly #isDurable: boolean
  readonly #locks: HeldLocks
  readonly #files: SessionFiles
  /** See {@link FileSessionStoreOptions.shared}. */
  readonly lock?: NonNullable<SessionStore['lock']>
  #opened: { readonly sessions: StoredSessions; readonly release: () => Promise<void> } | undefined
  #hasAdvised = false

  /** @throws OptionError when an option is invalid. */
  constructor(options: FileSessionStoreOptions, calls: Partial<FileSystem> = {}) {
    checkEach(
      { name: 'FileSessionStore', checks: FILE_SESSION_STORE_CHECKS, required: ['directory'] },
      options,
    )
    const fs = { ...nodeFileSystem, ...calls }
    const isShared = options.shared ?? cluster.isWorker
    const isDurable = options.durable ?? false
    this.#fs = fs
    this.#folder = new SessionFolder(join(resolve(options.directory), RESERVED_NAME), fs)
    this.#isDurable = isDurable
    this.#locks = new HeldLocks(fs)
    this.#files = new SessionFiles(this.#folder, { fs, locks: this.#locks, isShared, isDurable })
    if (isShared) {
      this.lock = (key, lockOptions) => this.#locks.acquire(key, join(this.#folder.path, key), lockOptions)
    }
  }

  async open(): Promise<void> {
    await this.#folder.create()
    const opened = await (this.lock ? this.#openShared() : this.#openAlone())
    await this.close()
    this.#opened = opened
  }

  /** @throws when the folder of the sessions cannot be written to. */
  check(): Promise<void> {
    return checkWritable(this.#folder.path, 'sessions', this.#fs)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await opened?.release()
  }

  async #openShared() {
    await this.#tryLock()
    const deadline = Date.now() + MOVE_TIMEOUT
    // One of the processes that share the directory moves the sessions, and the others wait for it.
    while (await this.#hasJournal()) {
      const lease = await this.#takeLease()
      if (lease) await this.#moveToFiles().finally(lease.release)
      else if (Date.now() < deadline) await delay(MOVE_RETRY)
      else throw this.#heldElsewhere()
    }
    return { sessions: this.#files, release: async () => {} }
  }

  async #openAlone() {
    const lease = await this.#takeLease()
    if (!lease) throw this.#heldElsewhere()
    try {
      if (lease.isExclusive && (await isOnLocalFileSystem(this.#folder.path, this.#fs))) {
        const { journal, release } = await openJournal(this.#folder, this.#fs)
        if (this.#isDurable) journal.flushChanges()
        return { sessions: journal, release: () => release().finally(lease.release) }
      }
      if (await this.#hasJournal()) await this.#moveToFiles()
      return { sessions: this.#files, release: lease.release }
    } catch (error) {
      await lease.release()
      throw error
    }
  }

  /** @returns `undefined` while another process, or an unshared store of this one, uses the directory. */
  async #takeLease(): Promise<DirectoryLease | undefined> {
    if (this.lock && isJournalOpen(this.#folder)) return undefined
    return takeLease(this.#folder.path, this.#fs)
  }

  async #hasJournal(): Promise<boolean> {
    return (await this.#fs.stat(this.#folder.journalPath).catch(ignoreNotFound)) !== undefined
  }

  /** Locked, because processes of other machines do not see the lease. */
  async #moveToFiles(): Promise<void> {
    const path = this.#folder.journalPath
    const options = { timeout: MOVE_TIMEOUT, onReleaseRequested: () => {} }
    const unlock = await this.#locks.acquire('journal', join(this.#folder.path, 'journal'), options)
    if (!unlock) throw this.#heldElsewhere()
    try {
      const records = await readJournal(path, this.#fs)
      if (!records) return
      await this.#files.adopt(records)
      await this.#fs.unlink(path)
    } finally {
      await unlock()
    }
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

  get #sessions(): StoredSessions {
    if (!this.#opened)
      throw new Error('This FileSessionStore is not open: await open() before its other methods.')
    return this.#opened.sessions
  }

  async create(record: SessionRecord): Promise<void> {
    await this.#sessions.create(record)
  }

  /**
   * Where processes share the directory, it lists the markers of the sessions of this user. Those that were created
   * without a limit do not count there.
   */
  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    return this.#sessions.createWithin(record, max)
  }

  get(uploadId: string): Awaitable<SessionRecord | undefined> {
    return this.#sessions.get(uploadId)
  }

  async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#sessions.update(uploadId, change)
  }

  async delete(uploadId: string): Promise<void> {
    await this.#sessions.delete(uploadId)
  }

  list(options?: { readonly openOnly?: boolean }): AsyncIterable<SessionRecord> {
    return this.#sessions.list(options)
  }

  expired(before: number): AsyncIterable<SessionRecord> {
    return this.#sessions.expired(before)
  }

  ended(before: number): AsyncIterable<SessionRecord> {
    return this.#sessions.ended(before)
  }
}
