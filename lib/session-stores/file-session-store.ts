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
import { directoryIdentity } from './directory-identity.js'
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
/** Milliseconds between two checks that the path still leads to the folder that was opened. */
const PLACE_CHECK_INTERVAL = 1_000

/** Sessions, until `release` is called. */
interface OpenedSessions {
  readonly sessions: StoredSessions
  readonly release: () => Promise<void>
  /** Identity of the folder whose journal this is; `undefined` for files, which are found by their paths each time. */
  readonly place?: string
}

/**
 * Sessions in the folder `BITS-Sessions`, so that they survive a restart. A process that has the directory to itself
 * keeps them in memory and in one journal. Processes that share a directory, and those that cannot keep others out
 * (Windows, macOS, network drives), keep a file for each session. Whichever way a store finds them, it takes them over.
 *
 * When another folder takes the place of this one, such as that of a volume that is mounted over it, the sessions are
 * those of that folder; one without sessions gets those that there were.
 */
export class FileSessionStore implements SessionStore {
  readonly #fs: FileSystem
  readonly #folder: SessionFolder
  readonly #isDurable: boolean
  readonly #locks: HeldLocks
  readonly #files: SessionFiles
  /** See {@link FileSessionStoreOptions.shared}. */
  readonly lock?: NonNullable<SessionStore['lock']>
  #opened: OpenedSessions | undefined
  #checkedAt = 0
  #reopening: Promise<StoredSessions> | undefined
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
    const before = this.#opened
    this.#opened = opened
    this.#checkedAt = performance.now()
    await before?.release()
  }

  /** @throws when the folder of the sessions cannot be written to. */
  check(): Promise<void> {
    return checkWritable(this.#folder.path, 'sessions', this.#fs)
  }

  async close(): Promise<void> {
    await this.#reopening?.catch(() => {})
    const opened = this.#opened
    this.#opened = undefined
    await opened?.release()
  }

  async #openShared(): Promise<OpenedSessions> {
    await this.#tryLock()
    const deadline = Date.now() + MOVE_TIMEOUT
    // One of the processes that share the directory moves the sessions, and the others wait for it.
    while (await this.#hasJournal()) {
      const lease = await this.#takeLease(await this.#place())
      if (lease) await this.#moveToFiles().finally(lease.release)
      else if (Date.now() < deadline) await delay(MOVE_RETRY)
      else throw this.#heldElsewhere()
    }
    return { sessions: this.#files, release: async () => {} }
  }

  async #openAlone(): Promise<OpenedSessions> {
    const place = await this.#place()
    const lease = await this.#takeLease(place)
    if (!lease) throw this.#heldElsewhere()
    try {
      if (lease.isExclusive && place !== undefined) {
        const isNew = !(await this.#hasJournal())
        const { journal, release } = await openJournal(this.#folder, place, this.#fs)
        if (this.#isDurable) journal.flushChanges()
        if (isNew) await this.#takeAlong(journal).catch((error) => this.#undo(release, error))
        return { sessions: journal, place, release: () => release().finally(lease.release) }
      }
      if (await this.#hasJournal()) await this.#moveToFiles()
      return { sessions: this.#files, release: lease.release }
    } catch (error) {
      await lease.release()
      throw error
    }
  }

  /** Identity of the folder. Only local file systems have one that lasts. */
  async #place(): Promise<string | undefined> {
    const { path } = this.#folder
    return (await isOnLocalFileSystem(path, this.#fs)) ? directoryIdentity(path, this.#fs) : undefined
  }

  /** @returns `undefined` while another process, or an unshared store of this one, uses the directory. */
  async #takeLease(place: string | undefined): Promise<DirectoryLease | undefined> {
    if (this.lock && place !== undefined && isJournalOpen(place)) return undefined
    return takeLease(this.#folder.path, this.#fs, place)
  }

  /** Sessions whose folder is gone: a client whose file is published has yet to hear of it. */
  async #takeAlong(journal: StoredSessions): Promise<void> {
    const known = this.#opened
    if (known?.place === undefined || known.sessions === journal) return
    for await (const record of known.sessions.list()) await journal.create(record)
  }

  /** Without its journal, the next attempt finds the folder as new as this one did. */
  async #undo(release: () => Promise<void>, error: unknown): Promise<never> {
    await release()
    await this.#fs.unlink(this.#folder.journalPath).catch(ignoreNotFound)
    throw error
  }

  /** The sessions of the folder that the path leads to. */
  #inPlace(): Awaitable<StoredSessions> {
    const isDue = performance.now() - this.#checkedAt >= PLACE_CHECK_INTERVAL
    return isDue && this.#openedNow.place !== undefined ? this.#checkPlace() : this.#openedNow.sessions
  }

  #checkPlace(): Promise<StoredSessions> {
    this.#reopening ??= this.#reopenIfMoved().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  async #reopenIfMoved(): Promise<StoredSessions> {
    if ((await directoryIdentity(this.#folder.path, this.#fs)) !== this.#openedNow.place) await this.open()
    this.#checkedAt = performance.now()
    return this.#openedNow.sessions
  }

  /** Runs an operation, and once more when it failed because the folder was not where it had been. */
  async #run<T>(operation: (sessions: StoredSessions) => Awaitable<T>): Promise<T> {
    const sessions = await this.#inPlace()
    try {
      return await operation(sessions)
    } catch (error) {
      if (this.#openedNow.place === undefined) throw error
      const inPlace = await this.#checkPlace()
      if (inPlace === sessions) throw error
      return operation(inPlace)
    }
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

  get #openedNow(): OpenedSessions {
    if (!this.#opened)
      throw new Error('This FileSessionStore is not open: await open() before its other methods.')
    return this.#opened
  }

  create(record: SessionRecord): Promise<void> {
    return this.#run((sessions) => sessions.create(record))
  }

  /**
   * Where processes share the directory, it lists the markers of the sessions of this user. Those that were created
   * without a limit do not count there.
   */
  createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    return this.#run((sessions) => sessions.createWithin(record, max))
  }

  get(uploadId: string): Awaitable<SessionRecord | undefined> {
    const sessions = this.#inPlace()
    return 'then' in sessions ? sessions.then((now) => now.get(uploadId)) : sessions.get(uploadId)
  }

  update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#run((sessions) => sessions.update(uploadId, change))
  }

  delete(uploadId: string): Promise<void> {
    return this.#run((sessions) => sessions.delete(uploadId))
  }

  async *list(options?: { readonly openOnly?: boolean }): AsyncIterable<SessionRecord> {
    yield* (await this.#inPlace()).list(options)
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    yield* (await this.#inPlace()).expired(before)
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    yield* (await this.#inPlace()).ended(before)
  }
}
