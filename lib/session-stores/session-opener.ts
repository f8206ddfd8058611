import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BitsError } from '../protocol/bits-error.js'
import { ignoreNotFound } from '../util/errors.js'
import type { FileSystem } from '../util/fs.js'
import { isOnLocalFileSystem } from '../util/local-file-system.js'
import { directoryIdentity } from './directory-identity.js'
import { type DirectoryLease, takeLease } from './directory-lease.js'
import type { HeldLocks } from './held-locks.js'
import type { SessionFiles } from './session-files.js'
import type { SessionFolder } from './session-folder.js'
import { readJournal } from './session-journal.js'
import { isJournalOpen, openJournal } from './shared-journals.js'
import type { StoredSessions } from './stored-sessions.js'

/** Milliseconds to wait for another process that moves sessions between a journal and files. */
const MOVE_TIMEOUT = 2_000
const MOVE_RETRY = 50

/** Sessions, until `release` is called. */
export interface OpenedSessions {
  readonly sessions: StoredSessions
  readonly release: () => Promise<void>
  /** Identity of the folder whose journal this is; `undefined` for files, which are found by their paths each time. */
  readonly place?: string
}

interface SessionOpenerOptions {
  readonly fs: FileSystem
  readonly locks: HeldLocks
  readonly files: SessionFiles
  /** Whether other processes use the folder, too. */
  readonly isShared: boolean
  /** Whether to flush each record and each change to the disk. */
  readonly isDurable: boolean
}

/**
 * Opens the sessions of a folder: as a journal if this process can keep others out, otherwise as files. Takes over
 * sessions that were stored the other way.
 */
export class SessionOpener {
  readonly #folder: SessionFolder
  readonly #fs: FileSystem
  readonly #locks: HeldLocks
  readonly #files: SessionFiles
  readonly #isShared: boolean
  readonly #isDurable: boolean
  #hasAdvised = false

  constructor(folder: SessionFolder, { fs, locks, files, isShared, isDurable }: SessionOpenerOptions) {
    this.#folder = folder
    this.#fs = fs
    this.#locks = locks
    this.#files = files
    this.#isShared = isShared
    this.#isDurable = isDurable
  }

  /**
   * @param before the sessions that are open now, if any. A new journal gets them.
   * @throws BitsError `session-busy` while another process that does not share the folder uses it.
   */
  async open(before: OpenedSessions | undefined): Promise<OpenedSessions> {
    await this.#folder.create()
    return this.#isShared ? this.#openShared() : this.#openAlone(before)
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

  async #openAlone(before: OpenedSessions | undefined): Promise<OpenedSessions> {
    const place = await this.#place()
    const lease = await this.#takeLease(place)
    if (!lease) throw this.#heldElsewhere()
    try {
      if (lease.isExclusive && place !== undefined) {
        const isNew = !(await this.#hasJournal())
        const { journal, release } = await openJournal(this.#folder, place, this.#fs)
        if (this.#isDurable) journal.flushChanges()
        if (isNew) await copySessions(before, journal).catch((error) => this.#undo(release, error))
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
    if (this.#isShared && place !== undefined && isJournalOpen(place)) return undefined
    return takeLease(this.#folder.path, this.#fs, place)
  }

  /** Without its journal, the next attempt finds the folder as new as this one did. */
  async #undo(release: () => Promise<void>, error: unknown): Promise<never> {
    await release()
    await this.#fs.unlink(this.#folder.journalPath).catch(ignoreNotFound)
    throw error
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

  /** Some file systems cannot hold locks. It is better to fail now than with the first fragments of each upload. */
  async #tryLock(): Promise<void> {
    const options = { timeout: 0, onReleaseRequested: () => {} }
    const release = await this.#locks.acquire('probe', join(this.#folder.path, 'probe'), options)
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
}

/** Copies the sessions of a folder that is gone: clients of published files still have to close theirs. */
async function copySessions(from: OpenedSessions | undefined, to: StoredSessions): Promise<void> {
  if (from?.place === undefined || from.sessions === to) return
  for await (const record of from.sessions.list()) await to.create(record)
}
