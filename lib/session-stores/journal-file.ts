import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ignoreNotFound } from '../util/errors.js'
import { type FileSystem, syncDirectory, writeBytes } from '../util/fs.js'
import { type QuickCalls, quickCalls } from '../util/quick-calls.js'
import { directoryIdentity } from './directory-identity.js'
import { OPEN_JOURNAL, replaceJournal, temporaryJournal } from './replace-journal.js'

/** Milliseconds between two checks that the path still leads to this file, and that no other process writes to it. */
const CHECK_INTERVAL = 1_000
const MIN_COMPACTION = 8 * 1024 * 1024

interface WaitingEntry {
  readonly text: string
  readonly apply: () => void
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

interface JournalFileOptions {
  readonly path: string
  readonly fs: FileSystem
  /** All lines for a new journal. Their content does not change while they are being written. */
  readonly snapshot: () => Iterable<string>
  /** Bytes below which the journal is not compacted. Default: 8 MiB. */
  readonly minCompaction?: number
}

interface OpenedFile {
  readonly descriptor: number
  readonly place: string | undefined
  readonly length: number
  readonly liveBytes: number
}

/**
 * A file to which lines are appended. Lines that arrive during a write share the next one. A failed write leaves
 * nothing behind: before anything else is written, the file is truncated to the end of the last complete write. It is
 * on a local file system.
 */
export class JournalFile {
  readonly #path: string
  readonly #fs: FileSystem
  readonly #quick: QuickCalls
  readonly #snapshot: () => Iterable<string>
  readonly #minCompaction: number
  /** Identity of its directory. */
  readonly #place: string | undefined
  #descriptor: number
  #length: number
  #compactAt: number
  /** Whether a failed write may have left something behind the end. */
  #hasTail = false
  /** Whether the name of the file may not have been flushed. */
  #hasNewName = true
  #isFlushed = false
  #checkedAt = performance.now()
  #waiting: WaitingEntry[] = []
  #writing: Promise<void> | undefined
  #isClosed = false

  private constructor(options: JournalFileOptions, { descriptor, place, length, liveBytes }: OpenedFile) {
    this.#path = options.path
    this.#place = place
    this.#fs = options.fs
    this.#quick = quickCalls(options.fs, { isLocal: () => true })
    this.#snapshot = options.snapshot
    this.#descriptor = descriptor
    this.#length = length
    this.#minCompaction = options.minCompaction ?? MIN_COMPACTION
    this.#compactAt = this.#compactionLimit(liveBytes)
  }

  /**
   * @param replay reads the file. Returns the length to truncate it to, and the bytes that a compaction would leave.
   */
  static async open(
    options: JournalFileOptions,
    replay: (bytes: Buffer) => Promise<{ readonly length: number; readonly liveBytes: number }>,
  ): Promise<JournalFile> {
    const { path, fs } = options
    await fs.unlink(temporaryJournal(path)).catch(ignoreNotFound)
    const descriptor = await fs.open(path, OPEN_JOURNAL, 0o600)
    try {
      const bytes = await fs.readFile(path)
      const { length, liveBytes } = await replay(bytes)
      if (length < bytes.length) await fs.ftruncate(descriptor, length)
      const place = await directoryIdentity(dirname(path), fs)
      return new JournalFile(options, { descriptor, place, length, liveBytes })
    } catch (error) {
      await fs.close(descriptor)
      throw error
    }
  }

  /** From now on, lines are flushed to disk before they take effect. */
  flushLines(): void {
    this.#isFlushed = true
  }

  /**
   * Appends a line.
   * @param apply called when the line is in the file, before anything else is written.
   * @throws Error when the journal is closed: its descriptor may belong to another file by now.
   */
  append(text: string, apply: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new Error(`"${this.#path}" is closed.`)
      this.#waiting.push({ text, apply, resolve, reject })
      this.#writing ??= this.#write()
    })
  }

  /** Flushes all lines so far, and the name of the file, to disk. */
  async flush(): Promise<void> {
    await this.#writing
    await this.#fs.fsync(this.#descriptor)
    await this.#syncName()
  }

  /** Lines that were appended before are written; later ones are refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#writing
    await this.#fs.close(this.#descriptor)
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Lines of other packets that arrived in this turn of the event loop share the write.
      await nextTurn()
      const entries = this.#waiting
      this.#waiting = []
      try {
        await this.#commit(entries)
        // In the same turn in which the lines take effect, so that a compaction includes them.
        for (const { apply, resolve } of entries) {
          apply()
          resolve()
        }
      } catch (error) {
        for (const { reject } of entries) reject(error)
      }
      if (this.#length > this.#compactAt) await this.#compactOrWait()
    }
    this.#writing = undefined
  }

  async #commit(entries: readonly WaitingEntry[]): Promise<void> {
    if (performance.now() - this.#checkedAt >= CHECK_INTERVAL) await this.#check()
    if (this.#hasTail) await this.#cutTail()
    if (this.#isFlushed && this.#hasNewName) await this.#syncName()
    const bytes = Buffer.from(entries.map(({ text }) => text).join(''))
    try {
      await writeBytes(this.#descriptor, bytes, this.#quick)
      if (this.#isFlushed) await this.#fs.fdatasync(this.#descriptor)
    } catch (error) {
      this.#hasTail = true
      await this.#cutTail().catch(() => {})
      throw error
    }
    this.#length += bytes.length
  }

  async #cutTail(): Promise<void> {
    await this.#fs.ftruncate(this.#descriptor, this.#length)
    this.#hasTail = false
  }

  async #syncName(): Promise<void> {
    await syncDirectory(dirname(this.#path), this.#fs.fsync, this.#fs)
    this.#hasNewName = false
  }

  /** Lines written to a file that was removed or replaced would be lost. */
  async #check(): Promise<void> {
    const directory = dirname(this.#path)
    if ((await directoryIdentity(directory, this.#fs)) !== this.#place) {
      throw new Error(`"${directory}" is gone, or another directory has taken its place.`)
    }
    const [own, there] = await Promise.all([
      this.#fs.fstat(this.#descriptor),
      this.#fs.stat(this.#path).catch(ignoreNotFound),
    ])
    const isOurs = there !== undefined && there.ino === own.ino && there.dev === own.dev
    if (there && (!isOurs || (own.size > this.#length && !this.#hasTail))) {
      throw new Error(
        `"${this.#path}" was changed by something other than this process, which therefore stores no sessions in it. ` +
          'Make sure that no other process serves this directory, and restart this one.',
      )
    }
    if (!there || own.size < this.#length) await this.#compact()
    this.#checkedAt = performance.now()
  }

  /** Compaction only saves space: if it fails, the journal grows until the next attempt. */
  async #compactOrWait(): Promise<void> {
    try {
      await this.#compact()
    } catch {
      this.#compactAt = 2 * this.#length
    }
  }

  #compactionLimit(liveBytes: number): number {
    return Math.max(this.#minCompaction, 2 * liveBytes)
  }

  /** Writes the remaining sessions to a new file, which replaces the old one. */
  async #compact(): Promise<void> {
    const { descriptor, length } = await replaceJournal(this.#path, this.#snapshot(), this.#fs)
    const old = this.#descriptor
    this.#descriptor = descriptor
    this.#length = length
    this.#compactAt = this.#compactionLimit(length)
    this.#hasTail = false
    this.#hasNewName = true
    await this.#fs.close(old).catch(() => {})
  }
}
