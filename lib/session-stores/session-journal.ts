import { join } from 'node:path'
import type { SessionChange, SessionRecord } from '../../types/session.js'
import { asError, ignoreNotFound } from '../util/errors.js'
import type { FileSystem } from '../util/fs.js'
import { KeyedQueue } from '../util/keyed-queue.js'
import { JournalFile } from './journal-file.js'
import { changedLine, createdLine, deletedLine, replayJournal } from './journal-lines.js'
import type { SessionFolder } from './session-folder.js'
import { SessionTable } from './session-table.js'
import type { StoredSessions } from './stored-sessions.js'

/** Bytes of a session in a compacted journal, roughly. */
const BYTES_PER_SESSION = 500

/**
 * The sessions of a process that has a directory to itself: all of them in memory, and each change as a line of one
 * file, from which they are read at the next start. A change takes effect when its line is in the file.
 */
export class SessionJournal implements StoredSessions {
  readonly #folder: SessionFolder
  readonly #sessions: SessionTable
  readonly #file: JournalFile
  readonly #turns = new KeyedQueue()
  /** Sessions of each user whose creation is being written. */
  readonly #beingCreated = new Map<string | undefined, number>()

  private constructor(folder: SessionFolder, sessions: SessionTable, file: JournalFile) {
    this.#folder = folder
    this.#sessions = sessions
    this.#file = file
  }

  /** Takes over sessions stored as one file each, as processes that share a directory keep them. */
  static async open(
    folder: SessionFolder,
    fs: FileSystem,
    options: { readonly minCompaction?: number } = {},
  ): Promise<SessionJournal> {
    const sessions = new SessionTable()
    const path = folder.journalPath
    const file = await JournalFile.open(
      { ...options, path, fs, snapshot: () => snapshot(sessions) },
      async (bytes) => {
        const { length, skipped } = await replayJournal(bytes, sessions)
        if (skipped > 0) warnOfSkippedLines(path, skipped)
        return { length, liveBytes: sessions.size * BYTES_PER_SESSION }
      },
    )
    try {
      const journal = new SessionJournal(folder, sessions, file)
      await journal.#takeOverFiles(fs)
      return journal
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** From now on, changes are flushed to disk before they take effect. */
  flushChanges(): void {
    this.#file.flushLines()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  create(record: SessionRecord): Promise<void> {
    const { uploadId } = record
    return this.#turns.run(uploadId, async () => {
      if (this.#sessions.get(uploadId)) throw new Error(`A session ${uploadId} already exists.`)
      await this.#file.append(createdLine(record), () => this.#sessions.put(record))
    })
  }

  async createWithin(record: SessionRecord, max: number): Promise<number | undefined> {
    const { user } = record
    const creating = this.#beingCreated.get(user) ?? 0
    const count = this.#sessions.count(user) + creating
    if (count >= max) return count
    this.#beingCreated.set(user, creating + 1)
    try {
      await this.create(record)
      return undefined
    } finally {
      const left = (this.#beingCreated.get(user) ?? 1) - 1
      if (left > 0) this.#beingCreated.set(user, left)
      else this.#beingCreated.delete(user)
    }
  }

  get(uploadId: string): SessionRecord | undefined {
    return this.#sessions.get(uploadId)
  }

  update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    return this.#turns.run(uploadId, async () => {
      const current = this.#sessions.get(uploadId)
      const changes = current && change(current)
      if (!current || !changes) return undefined
      const updated = { ...current, ...changes }
      await this.#file.append(changedLine(uploadId, changes), () => this.#sessions.put(updated))
      return updated
    })
  }

  delete(uploadId: string): Promise<void> {
    return this.#turns.run(uploadId, async () => {
      if (!this.#sessions.get(uploadId)) return
      await this.#file.append(deletedLine(uploadId), () => this.#sessions.delete(uploadId))
    })
  }

  async *list(options?: { readonly openOnly?: boolean }): AsyncIterable<SessionRecord> {
    yield* this.#current(this.#sessions.list(options))
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    yield* this.#current(this.#sessions.list().filter((record) => record.lastActivity < before))
    await this.#folder.removeUnused(before)
  }

  async *ended(before: number): AsyncIterable<SessionRecord> {
    yield* this.#current([...this.#sessions.ended()].filter((record) => record.lastActivity < before))
  }

  /** Leaves out sessions that were deleted since they were listed. */
  *#current(listed: readonly SessionRecord[]): Iterable<SessionRecord> {
    for (const { uploadId } of listed) {
      const record = this.#sessions.get(uploadId)
      if (record) yield record
    }
  }

  /**
   * A file takes precedence over the journal: if both have a session, a move from the journal to files was interrupted,
   * and another process may have continued with the file.
   */
  async #takeOverFiles(fs: FileSystem): Promise<void> {
    const taken: string[] = []
    for (const ids of [this.#folder.endedIds(), this.#folder.openIds()]) {
      for await (const uploadId of ids) {
        const record = await this.#folder.read(uploadId).catch(warnOfUnreadable)
        if (!record) continue
        await this.#file.append(createdLine(record), () => this.#sessions.put(record))
        taken.push(uploadId)
      }
    }
    if (taken.length > 0) await this.#file.flush()
    for (const uploadId of taken) await this.#folder.remove(uploadId)
    await fs.rm(join(this.#folder.path, 'users'), { recursive: true, force: true })
  }
}

/** Reads the sessions of a journal without changing it. @returns `undefined` when there is none. */
export async function readJournal(path: string, fs: FileSystem): Promise<SessionRecord[] | undefined> {
  const bytes = await fs.readFile(path).catch(ignoreNotFound)
  if (!bytes) return undefined
  const sessions = new SessionTable()
  const { skipped } = await replayJournal(bytes, sessions)
  if (skipped > 0) warnOfSkippedLines(path, skipped)
  return sessions.list()
}

function* snapshot(sessions: SessionTable): Iterable<string> {
  for (const record of sessions.ended()) yield createdLine(record)
  for (const record of sessions.open()) yield createdLine(record)
}

/** A line that a crash interrupted is always the last one: these were damaged later. */
function warnOfSkippedLines(path: string, count: number): void {
  process.emitWarning(
    `express-bits-upload: ${count} damaged lines of "${path}" were skipped. Uploads whose sessions were lost start over.`,
  )
}

/** One file that cannot be read must not stop all uploads. It stays until the next start, or until it is old. */
function warnOfUnreadable(error: unknown): undefined {
  process.emitWarning(`express-bits-upload: the file of a session cannot be read: ${asError(error).message}`)
}
