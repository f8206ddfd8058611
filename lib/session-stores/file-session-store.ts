import cluster from 'node:cluster'
import { constants } from 'node:fs'
import { mkdir, opendir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import { RESERVED_NAME } from '../protocol/reserved-folder.js'
import { ignoreNotFound } from '../util/errors.js'
import { fsync, readFile, type Sync, stat, syncDirectory, unlink, writeText } from '../util/fs.js'
import { KeyedQueue } from '../util/keyed-queue.js'
import { checkEach, type OptionChecks } from '../validation/check-options.js'
import { isBoolean, isPath } from '../validation/value-checks.js'
import { HeldLocks } from './held-locks.js'
import { changeLine, parseSessionRecord, recordLine } from './record-file.js'

/** Options of a {@link FileSessionStore}. */
export interface FileSessionStoreOptions {
  /** The directory of the uploads; the records lie in its `BITS-Sessions`. */
  directory: string
  /**
   * Do several processes serve this directory? Then a session is locked while a packet of it is handled, so that two
   * processes never work on one upload. Default: true in a worker of `node:cluster`, else false. Set it for processes
   * that share the directory in other ways: PM2, containers, servers with shared storage.
   */
  shared?: boolean | undefined
  /**
   * Force each record and each change to the disk before it counts, so that a session survives a power cut, too.
   * Default: false; beside a `FileStorage` of durability `fragment`: true.
   */
  durable?: boolean | undefined
}

const FILE_SESSION_STORE_CHECKS: OptionChecks<FileSessionStoreOptions> = {
  directory: isPath,
  shared: isBoolean,
  durable: isBoolean,
}

const RECORD = /^([0-9a-f]{32})\.json$/
/** What locks are made of. */
const LEFT_OVER = /^[0-9a-f]{32}\.(?:wanted|lock)$/
/** Appends to a file that is there: a session that another process forgot must not come back. */
const APPEND = constants.O_WRONLY | constants.O_APPEND
/** Sessions kept in memory too. */
const MAX_KNOWN = 1000

/** A session as it stood in its file when that had this size. */
interface Known {
  readonly record: SessionRecord
  readonly size: number
}

/**
 * Sessions as files, one each, so that they survive a restart: a line of JSON, and one more for each change. A process
 * that is killed, or whose disk is full, leaves a change whole or not at all, as half a line counts for nothing.
 *
 * A file only ever grows. So one that has its old size holds what it held, and is not read again, whatever other
 * processes there are. Nor does it cost what replacing a file does: ext4 writes the new one to the disk at once.
 */
export class FileSessionStore implements SessionStore {
  readonly #folder: string
  /** See {@link FileSessionStoreOptions.shared}. */
  readonly lock?: NonNullable<SessionStore['lock']>
  readonly #sync: Sync | undefined
  readonly #locks = new HeldLocks()
  readonly #turns = new KeyedQueue()
  readonly #known = new Map<string, Known>()

  /** @throws OptionError when an option is wrong. */
  constructor(options: FileSessionStoreOptions, internals: { sync?: Sync } = {}) {
    checkEach(
      { name: 'FileSessionStore', checks: FILE_SESSION_STORE_CHECKS, required: ['directory'] },
      options,
    )
    this.#folder = join(resolve(options.directory), RESERVED_NAME)
    this.#sync = options.durable ? (internals.sync ?? fsync) : undefined
    if (options.shared ?? cluster.isWorker) {
      this.lock = (key, lockOptions) => this.#locks.acquire(key, join(this.#folder, key), lockOptions)
    }
  }

  async open(): Promise<void> {
    await mkdir(dirname(this.#folder), { recursive: true })
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
  }

  async create(record: SessionRecord): Promise<void> {
    const path = this.#path(record.uploadId)
    const size = await writeText(path, 'wx', recordLine(record), this.#sync).catch(
      async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') await remove(path)
        throw error
      },
    )
    if (this.#sync) await syncDirectory(this.#folder, this.#sync)
    this.#remember({ record, size })
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    return (await this.#read(key))?.record
  }

  async update(
    key: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#turns.run(key, async () => {
      // Whatever others added since is still in the file, which has another size then: the next read finds it.
      const current = this.#memoryOf(key) ?? (await this.#read(key))
      const changes = current && change(current.record)
      if (!current || !changes) return undefined
      this.#locks.assertNotLost(key)
      const added = await writeText(this.#path(key), APPEND, changeLine(changes), this.#sync).catch(
        ignoreNotFound,
      )
      if (added === undefined) return undefined
      const record = { ...current.record, ...changes }
      this.#remember({ record, size: current.size + added })
      return record
    })
  }

  async delete(key: string): Promise<void> {
    await this.#turns.run(key, () => remove(this.#path(key)))
    this.#known.delete(key)
  }

  async *list(): AsyncIterable<SessionRecord> {
    for await (const name of namesIn(this.#folder)) {
      const key = RECORD.exec(name)?.[1]
      const record = key && (await this.get(key))
      if (record) yield record
    }
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    for await (const name of namesIn(this.#folder)) {
      const key = RECORD.exec(name)?.[1]
      const record = key && (await this.get(key))
      if (record && record.lastActivity < before) yield record
      // What a killed process left half written is of no use to anybody.
      if (!record && (key || LEFT_OVER.test(name))) await removeIfOlder(join(this.#folder, name), before)
    }
  }

  #path(key: string): string {
    return join(this.#folder, `${key}.json`)
  }

  async #read(key: string): Promise<Known | undefined> {
    const path = this.#path(key)
    const facts = await stat(path).catch(ignoreNotFound)
    const known = this.#memoryOf(key)
    if (known && facts?.size === known.size) return known
    const bytes = facts && (await readFile(path).catch(ignoreNotFound))
    const record = bytes && parseSessionRecord(bytes.toString())
    return record && this.#remember({ record, size: bytes.length })
  }

  /** Processes on several machines have a lock; what NFS says of a size may be seconds old there. */
  #memoryOf(key: string): Known | undefined {
    return this.lock ? undefined : this.#known.get(key)
  }

  #remember(known: Known): Known {
    const { uploadId } = known.record
    this.#known.delete(uploadId)
    this.#known.set(uploadId, known)
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size > MAX_KNOWN) this.#known.delete(oldest)
    return known
  }
}

async function* namesIn(folder: string): AsyncIterable<string> {
  for await (const entry of await opendir(folder)) yield entry.name
}

async function removeIfOlder(path: string, before: number): Promise<void> {
  const facts = await stat(path).catch(ignoreNotFound)
  if (facts && facts.mtimeMs < before) await rm(path, { force: true, recursive: true })
}

const remove = (path: string): Promise<void> => unlink(path).catch(ignoreNotFound)
