import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type {
  ByteRange,
  StagedData as StagedEntry,
  StagedUpload,
  StorageAdapter,
  StoredFile,
  StoredReply,
} from '../../../types/storage.js'
import { BitsError } from '../../protocol/bits-error.js'
import { checkWritable } from '../../util/check-writable.js'
import { errorCode, ignoreNotFound } from '../../util/errors.js'
import { type FileSystem, nodeFileSystem } from '../../util/fs.js'
import { type QuickCalls, quickCalls, SMALL_FILE } from '../../util/quick-calls.js'
import { checkEach, type OptionChecks } from '../../validation/check-options.js'
import { isBoolean, isMode, isOneOf, isPath } from '../../validation/value-checks.js'
import { DestinationLocator } from './destination-locator.js'
import { DirectorySync } from './directory-sync.js'
import { FilePublisher } from './file-publisher.js'
import { movedMarkerPath, readMovedMarker } from './moved-marker.js'
import { tempLinkPath } from './publish-file.js'
import { draftOf, readReplyFile, statReplyFile, writeReplyFile } from './reply-file.js'
import { StagedFiles } from './staged-data.js'
import { remove } from './staged-file.js'
import { UploadDirectory } from './upload-directory.js'

/** When bytes are flushed to the disk, so that they survive a power cut as well as the death of the process. */
export type Durability = 'none' | 'publish' | 'fragment'

/** Options of a {@link FileStorage}. */
export interface FileStorageOptions {
  /** Directory for the files, absolute or relative to the working directory; created if it is missing. */
  directory: string
  /**
   * `publish` (default): a finished file and its name are on the disk before its last fragment is acknowledged.
   * `fragment`: each fragment too. `none`: when the operating system writes them.
   */
  durability?: Durability | undefined
  /**
   * Create the parent directories of a destination. Default: true; if false, uploads into missing directories get a
   * 404.
   */
  createDirectories?: boolean | undefined
  /**
   * Mode of published files, as a number (`0o640`); the umask does not apply to it. Default: that of a file created in
   * the same directory. Staged data is always 0600. Windows has no modes.
   */
  fileMode?: number | undefined
  /**
   * Mode of the directories that are created for a destination, as a number (`0o750`); the umask does not apply to it.
   * Default: that of a directory created in the same place. The folder of staged data is always 0700.
   */
  directoryMode?: number | undefined
}

const STAGED = /^([0-9a-f]{32})\.(?:part(?:\.new|\.moved)?|reply(?:\.tmp)?)$/

const FILE_STORAGE_CHECKS: OptionChecks<FileStorageOptions> = {
  directory: isPath,
  durability: isOneOf<Durability>({ none: true, publish: true, fragment: true }),
  createDirectories: isBoolean,
  fileMode: isMode,
  directoryMode: isMode,
}

/** Uploads as files below a directory. Staged data is in its `BITS-Sessions`, on the same file system. */
export class FileStorage implements StorageAdapter {
  readonly directory: string
  readonly durability: Durability
  readonly #fs: FileSystem
  readonly #quick: QuickCalls
  readonly #uploads: UploadDirectory
  readonly #staged: StagedFiles
  readonly #publisher: FilePublisher
  readonly #directories: DirectorySync

  /** @throws OptionError when an option is invalid. */
  constructor(options: FileStorageOptions, internals: Partial<FileSystem> & { now?: () => number } = {}) {
    checkEach({ name: 'FileStorage', checks: FILE_STORAGE_CHECKS, required: ['directory'] }, options)
    const { directory, durability = 'publish', createDirectories = true, fileMode, directoryMode } = options
    const { now, ...calls } = internals
    const fs = { ...nodeFileSystem, ...calls }
    const quick = quickCalls(fs, { isLocal: () => uploads.isLocal })
    const uploads = new UploadDirectory({ directory, fs, quick })
    const locator = new DestinationLocator({ uploads, createDirectories, fs, quick })
    const staged = new StagedFiles({ fs, quick, syncsFragments: durability === 'fragment' })
    const sync = durability !== 'none'
    this.directory = uploads.root
    this.durability = durability
    this.#fs = fs
    this.#quick = quick
    this.#uploads = uploads
    this.#staged = staged
    this.#directories = new DirectorySync(fs)
    const directories = this.#directories
    this.#publisher = new FilePublisher({
      ...{ fs, quick, uploads, locator, staged, directories, sync, fileMode, directoryMode, now },
    })
  }

  async open(): Promise<void> {
    await this.#syncDirectories(await this.#uploads.open())
  }

  /** @throws when the folder of staged data cannot be written to. */
  check(): Promise<void> {
    return checkWritable(this.#uploads.staging, 'storage', this.#fs)
  }

  has(destination: string): Promise<boolean> {
    return this.#publisher.check(destination)
  }

  begin(upload: StagedUpload): Promise<void> {
    return this.#publisher.createStaged({ upload, path: this.path(upload) })
  }

  async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number> {
    const staged = { uploadId: upload.uploadId, path: this.path(upload) }
    const length = await this.#staged.append(staged, offset, body, signal).catch(async (error: unknown) => {
      // Nothing was read yet. The folder was removed, or something was mounted over it.
      if (offset > 0 || errorCode(error) !== 'ENOENT') throw error
      await this.#uploads.ensureOpen()
      return this.#staged.append(staged, offset, body, signal)
    })
    if (this.durability === 'fragment' && offset === 0) await this.#syncDirectories([this.#uploads.staging])
    return length
  }

  async received(upload: StagedUpload): Promise<number> {
    const { uploadId, total } = upload
    const path = this.path(upload)
    const facts = await this.#quick.stat(path).catch(ignoreNotFound)
    if (!facts) {
      const marker = await readMovedMarker(path, this.#fs)
      return marker ? this.#published(upload, marker.size ?? total ?? 0) : 0
    }
    const isOtherSize = total !== undefined && total !== facts.size
    if (facts.nlink > 1 && isOtherSize && (await this.#publisher.isPublished({ upload, path }))) {
      return this.#published(upload, facts.size)
    }
    return this.#staged.trustedLength({ uploadId, path }, facts.size)
  }

  read(upload: StagedUpload): Readable {
    return createReadStream(this.path(upload))
  }

  path(upload: StagedUpload): string {
    return join(this.#uploads.staging, `${upload.uploadId}.part`)
  }

  publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile> {
    return this.#publisher.publish({ upload, path: this.path(upload) }, options.overwrite)
  }

  async discard(upload: StagedUpload, options: { keepReply?: boolean } = {}): Promise<void> {
    const staged = this.path(upload)
    const reply = this.replyPath(upload)
    this.#staged.forget(upload.uploadId)
    // After a publication, there is either this file or what follows. Leftovers of a crash are removed with the
    // session.
    const calls = (upload.total ?? Number.POSITIVE_INFINITY) <= SMALL_FILE ? this.#quick : this.#fs
    if (options.keepReply && (await remove(staged, calls))) return
    const gone = [staged, tempLinkPath(staged), draftOf(reply)]
    if (!options.keepReply) gone.push(reply)
    // The marker first: without staged data it would indicate a publication.
    const hadMarker = await remove(movedMarkerPath(staged), this.#fs)
    const removed = await Promise.all(gone.map((path) => remove(path, this.#fs)))
    if (hadMarker || !removed.includes(true)) await this.#publisher.removeLeftovers(upload)
  }

  async *staged(): AsyncIterable<StagedEntry> {
    const entries = await this.#fs.opendir(this.#uploads.staging).catch(ignoreNotFound)
    for await (const entry of entries ?? []) {
      const id = STAGED.exec(entry.name)?.[1]
      const path = join(this.#uploads.staging, entry.name)
      const facts = id && (await this.#fs.stat(path).catch(ignoreNotFound))
      if (id && facts) yield { uploadId: id, lastModified: facts.mtime }
    }
  }

  async writeReply(upload: StagedUpload, body: Readable): Promise<number> {
    await this.#uploads.ensureOpen()
    const size = await writeReplyFile(this.replyPath(upload), body, this.durability !== 'none', this.#fs)
    await this.#syncDirectories([this.#uploads.staging])
    return size
  }

  statReply(upload: StagedUpload): Promise<StoredReply | undefined> {
    return statReplyFile(this.replyPath(upload), this.#fs)
  }

  readReply(upload: StagedUpload, range?: ByteRange): Readable {
    return readReplyFile(this.replyPath(upload), range)
  }

  replyPath(upload: StagedUpload): string {
    return join(this.#uploads.staging, `${upload.uploadId}.reply`)
  }

  async #syncDirectories(directories: readonly string[]): Promise<void> {
    if (this.durability === 'none') return
    for (const directory of directories) await this.#directories.syncPath(directory)
  }

  /** Published files are never appended to, whatever size the session has now. */
  #published({ destination, total = 0 }: StagedUpload, size: number): number {
    if (total === size || total === 0) return size
    throw new BitsError('total-changed', `"${destination}" is published, with ${size} bytes.`)
  }
}
