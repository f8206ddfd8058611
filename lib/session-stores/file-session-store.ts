import cluster from 'node:cluster'
import { join, resolve } from 'node:path'
import type { Awaitable } from '../../types/awaitable.js'
import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import { RESERVED_NAME } from '../protocol/reserved-folder.js'
import { checkWritable } from '../util/check-writable.js'
import { type FileSystem, nodeFileSystem } from '../util/fs.js'
import { checkEach, type OptionChecks } from '../validation/check-options.js'
import { isBoolean, isPath } from '../validation/value-checks.js'
import { CurrentSessions } from './current-sessions.js'
import { HeldLocks } from './held-locks.js'
import { SessionFiles } from './session-files.js'
import { SessionFolder } from './session-folder.js'
import { SessionOpener } from './session-opener.js'

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
  readonly #current: CurrentSessions
  /** See {@link FileSessionStoreOptions.shared}. */
  readonly lock?: NonNullable<SessionStore['lock']>

  /** @throws OptionError when an option is invalid. */
  constructor(options: FileSessionStoreOptions, calls: Partial<FileSystem> = {}) {
    checkEach(
      { name: 'FileSessionStore', checks: FILE_SESSION_STORE_CHECKS, required: ['directory'] },
      options,
    )
    const fs = { ...nodeFileSystem, ...calls }
    const isShared = options.shared ?? cluster.isWorker
    const isDurable = options.durable ?? false
    const folder = new SessionFolder(join(resolve(options.directory), RESERVED_NAME), fs)
    const locks = new HeldLocks(fs)
    const files = new SessionFiles(folder, { fs, locks, isShared, isDurable })
    const opener = new SessionOpener(folder, { fs, locks, files, isShared, isDurable })
    this.#fs = fs
    this.#folder = folder
    this.#current = new CurrentSessions(folder, opener, fs)
    if (isShared) {
      this.lock = (key, lockOptions) => locks.acquire(key, join(folder.path, key), lockOptions)
    }
  }

  open(): Promise<void> {
    return this.#current.open()
  }

  /** @throws when the folder of the sessions cannot be written to. */
  check(): Promise<void> {
    return checkWritable(this.#folder.path, 'sessions', this.#fs)
  }

  close(): Promise<void> {
    return this.#current.close()
  }

  create(record: SessionRecord): Promise<void> {
    return this.#current.run((sessions) => sessions.create(record))
  }

  /**
   * Where processes share the directory, it lists the markers of the sessions of this user. Those that were created
   * without a limit do not count there.
   */
  createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    return this.#current.run((sessions) => sessions.createWithin(record, max))
  }

  get(uploadId: string): Awaitable<SessionRecord | undefined> {
    const sessions = this.#current.get()
    return 'then' in sessions ? sessions.then((now) => now.get(uploadId)) : sessions.get(uploadId)
  }

  update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#current.run((sessions) => sessions.update(uploadId, change))
  }

  delete(uploadId: string): Promise<void> {
    return this.#current.run((sessions) => sessions.delete(uploadId))
  }

  async *list(options?: { readonly openOnly?: boolean }): AsyncIterable<SessionRecord> {
    yield* (await this.#current.get()).list(options)
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    yield* (await this.#current.get()).expired(before)
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    yield* (await this.#current.get()).ended(before)
  }
}
