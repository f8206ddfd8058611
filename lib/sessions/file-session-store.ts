import cluster from 'node:cluster'
import { randomUUID } from 'node:crypto'
import { mkdir, open, opendir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { LockOptions, SessionChange, SessionRecord, SessionStore } from '../../types/session.js'
import { lockFile } from './file-lock.js'
import { parseSessionRecord } from './session-record.js'

/** Options of a {@link FileSessionStore}. */
export interface FileSessionStoreOptions {
  /** The directory of the uploads; the records lie in its `BITS-Sessions`. */
  directory: string
  /**
   * Do several processes serve this directory? Then a session is locked while a packet of it is handled, so that two
   * processes never work on one upload. Default: true in a worker of `node:cluster`, else false. Set it for processes
   * that share the directory in other ways: PM2, containers, servers with shared storage.
   */
  shared?: boolean
}

const FOLDER = 'BITS-Sessions'
const RECORD = /^([0-9a-f]{32})\.json$/
/** Drafts, and what locks are made of. */
const LEFT_OVER = /^[0-9a-f]{32}\.(?:json\.(?:.+\.)?tmp|wanted|lock)$/

/**
 * Sessions as files, one JSON file each, so that they survive a restart. A record is replaced by renaming a new file
 * over the old one: a process that is killed leaves the old record or the new one, never half of one.
 */
export class FileSessionStore implements SessionStore {
  readonly #folder: string
  /** See {@link FileSessionStoreOptions.shared}. */
  readonly lock?: (key: string, options: LockOptions) => Promise<() => Promise<void>>
  readonly #queues = new Map<string, Promise<unknown>>()

  constructor(options: FileSessionStoreOptions) {
    this.#folder = join(resolve(options.directory), FOLDER)
    if (options.shared ?? cluster.isWorker) {
      this.lock = (key, lockOptions) => lockFile(join(this.#folder, key), lockOptions)
    }
  }

  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
  }

  async create(record: SessionRecord): Promise<void> {
    await write(this.#path(record.key), record)
  }

  async get(key: string): Promise<SessionRecord | undefined> {
    const text = await readFile(this.#path(key), 'utf8').catch(unlessMissing)
    return text === undefined ? undefined : parseSessionRecord(text)
  }

  async update(
    key: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#inTurn(key, async () => {
      const current = await this.get(key)
      const changes = current && change(current)
      if (!current || !changes) return undefined
      const updated = { ...current, ...changes }
      const path = this.#path(key)
      // A name of its own: another process may be at work on the same session.
      const draft = `${path}.${randomUUID()}.tmp`
      await write(draft, updated)
      await rename(draft, path)
      return updated
    })
  }

  async delete(key: string): Promise<void> {
    await this.#inTurn(key, () => rm(this.#path(key), { force: true }))
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

  /** Runs `work` after whatever else is under way for the session. */
  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#queues.get(key) ?? Promise.resolve()).then(work)
    const settled = turn.then(
      () => {},
      () => {},
    )
    this.#queues.set(key, settled)
    try {
      return await turn
    } finally {
      if (this.#queues.get(key) === settled) this.#queues.delete(key)
    }
  }
}

/** Writes a new file, whole or, when the disk is full, not at all. Rejects when there is one. */
async function write(path: string, record: SessionRecord): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(JSON.stringify(record))
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

async function* namesIn(folder: string): AsyncIterable<string> {
  for await (const entry of await opendir(folder)) yield entry.name
}

async function removeIfOlder(path: string, before: number): Promise<void> {
  const facts = await stat(path).catch(unlessMissing)
  if (facts && facts.mtimeMs < before) await rm(path, { force: true, recursive: true })
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
