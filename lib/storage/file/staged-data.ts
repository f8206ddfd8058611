import type { Readable } from 'node:stream'
import { errorCode, ignoreNotFound } from '../../util/errors.js'
import type { FileSystem } from '../../util/fs.js'
import { type QuickCalls, SMALL_FILE } from '../../util/quick-calls.js'
import { ignoreUnsupportedMode } from './directory-errors.js'
import { gatherWrite } from './gather-write.js'
import { openStaged, writable } from './staged-file.js'
import { SyncedLengths } from './synced-lengths.js'

/** Number of failures to remember before those of ended uploads are removed. */
const MANY_FAILURES = 500

interface StagedFilesOptions {
  readonly fs: FileSystem
  readonly quick: QuickCalls
  readonly syncsFragments: boolean
}

interface StagedFile {
  readonly uploadId: string
  readonly path: string
}

/**
 * Bytes of uploads before their publication. If the disk fails to store some of them, the upload goes back to the last
 * length known to be on disk, and the client sends them again.
 */
export class StagedFiles {
  readonly #fs: FileSystem
  readonly #quick: QuickCalls
  readonly #syncsFragments: boolean
  readonly #lengths = new SyncedLengths()
  readonly #appending = new Set<string>()
  #failuresUntilCheck = MANY_FAILURES

  constructor({ fs, quick, syncsFragments }: StagedFilesOptions) {
    this.#fs = fs
    this.#quick = quick
    this.#syncsFragments = syncsFragments
  }

  /** @returns the staged length afterwards. */
  async append(
    { uploadId, path }: StagedFile,
    offset: number,
    body: Readable,
    signal: AbortSignal,
  ): Promise<number> {
    const mustCut = this.#lengths.failedAt(uploadId) !== undefined
    const calls = { fs: this.#fs, quick: this.#quick }
    const file = await openStaged(path, offset, mustCut, calls)
    let length = Number.POSITIVE_INFINITY
    this.#appending.add(uploadId)
    try {
      if (this.#lengths.failedAt(uploadId) !== undefined) this.#lengths.noteSynced(uploadId, offset)
      length = await gatherWrite(writable(file, calls), offset, body, signal)
      if (this.#syncsFragments) await this.#sync({ uploadId, path }, file, length)
      return length
    } finally {
      this.#appending.delete(uploadId)
      await this.#close({ uploadId, path }, file, length <= SMALL_FILE)
    }
  }

  /**
   * How much of the staged data counts. With durability `fragment`, data that an earlier process wrote is synced once:
   * it may have died between the write and the sync.
   *
   * @param size bytes in the file.
   */
  async trustedLength({ uploadId, path }: StagedFile, size: number): Promise<number> {
    const failedAt = this.#lengths.failedAt(uploadId)
    if (failedAt !== undefined) return Math.min(failedAt, size)
    if (!this.#syncsFragments || size === 0 || this.#appending.has(uploadId)) return size
    if ((this.#lengths.synced(uploadId) ?? 0) >= size) return size
    const file = await this.#fs.open(path, 'r+').catch(ignoreNotFound)
    // Discarded since its size was read.
    if (file === undefined) return 0
    try {
      await this.#fs.fsync(file)
      this.#lengths.noteSynced(uploadId, size)
      return size
    } catch (error) {
      // Another process may be appending: the next append truncates what does not count.
      this.#lengths.noteFailure(uploadId, path)
      await this.#forgetEnded()
      throw error
    } finally {
      await this.#fs.close(file)
    }
  }

  /**
   * Prepares a complete file for its name.
   *
   * @param options.isPublished it already has its name, from an earlier attempt: it is synced, but never truncated.
   */
  async complete(
    { uploadId, path }: StagedFile,
    size: number,
    options: { readonly sync: boolean; readonly mode: number | undefined; readonly isPublished: boolean },
  ): Promise<void> {
    const { mode } = options
    if (!options.sync) {
      if (mode !== undefined) await this.#quick.chmod(path, mode).catch(ignoreUnsupportedMode)
      return
    }
    // A virus scanner may read it before it is opened.
    const file = await this.#fs.open(path, 'r+')
    try {
      if (mode !== undefined) await this.#fs.fchmod(file, mode).catch(ignoreUnsupportedMode)
      if (options.isPublished) await this.#fs.fsync(file)
      else await this.#sync({ uploadId, path }, file, size)
    } finally {
      await this.#quick.close(file)
    }
  }

  /** NFS may report only on close that it failed to store what was written. */
  async #close({ uploadId, path }: StagedFile, file: number, isSmall: boolean): Promise<void> {
    try {
      await (isSmall ? this.#quick : this.#fs).close(file)
    } catch (error) {
      await this.#goBack({ uploadId, path }, (kept) => this.#truncate(path, kept))
      throw error
    }
  }

  async #truncate(path: string, length: number): Promise<void> {
    const file = await this.#fs.open(path, 'r+')
    try {
      await this.#fs.ftruncate(file, length)
    } finally {
      await this.#fs.close(file)
    }
  }

  /** Uploads whose data is longer than what counts. */
  get failures(): number {
    return this.#lengths.failures.size
  }

  forget(uploadId: string): void {
    this.#lengths.forget(uploadId)
  }

  /** On failure, the file is truncated to the length known to be on disk. */
  async #sync({ uploadId, path }: StagedFile, file: number, length: number): Promise<void> {
    try {
      await this.#fs.fsync(file)
      if (this.#syncsFragments) this.#lengths.noteSynced(uploadId, length)
    } catch (error) {
      await this.#goBack({ uploadId, path }, (kept) => this.#fs.ftruncate(file, kept))
      throw error
    }
  }

  /** If `truncate` also fails, the bytes above do not count until the next append has truncated them. */
  async #goBack({ uploadId, path }: StagedFile, truncate: (length: number) => Promise<void>): Promise<void> {
    try {
      await truncate(this.#lengths.noteFailure(uploadId, path))
      this.#lengths.noteCut(uploadId)
    } catch {
      await this.#forgetEnded()
    }
  }

  /** Uploads can end in another process: once there are many failures, those without data are dropped. */
  async #forgetEnded(): Promise<void> {
    const { failures } = this.#lengths
    if (failures.size < this.#failuresUntilCheck) return
    this.#failuresUntilCheck = Infinity
    for (const [uploadId, { path }] of [...failures]) {
      const isGone = await this.#fs.stat(path).then(
        () => false,
        (error: unknown) => errorCode(error) === 'ENOENT',
      )
      if (isGone) this.#lengths.forget(uploadId)
    }
    this.#failuresUntilCheck = Math.max(MANY_FAILURES, 2 * failures.size)
  }
}
