import { createReadStream } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type {
  ByteRange,
  StagedData,
  StagedUpload,
  StorageAdapter,
  StoredFile,
  StoredReply,
} from '../../../types/storage.js'
import { BitsError } from '../../protocol/bits-error.js'
import { ignoreNotFound } from '../../util/errors.js'
import { close, fsync, link, lstat, open, type Sync, stat, syncDirectory, syncFile } from '../../util/fs.js'
import { checkEach, type OptionChecks } from '../../validation/check-options.js'
import { isBoolean, isOneOf, isPath } from '../../validation/value-checks.js'
import { DirectorySync } from './directory-sync.js'
import { gatherWrite } from './gather-write.js'
import {
  isOneFile,
  type Link,
  movedMarkerPath,
  publishNew,
  publishOver,
  tempLinkPath,
} from './publish-file.js'
import { draftOf, readReplyFile, statReplyFile, writeReplyFile } from './reply-file.js'
import { openStaged, remove, writable } from './staged-file.js'
import { UploadDirectory } from './upload-directory.js'

/** When bytes are forced to the disk, so that they survive a power cut as well as the death of the process. */
export type Durability = 'none' | 'publish' | 'fragment'

/** Options of a {@link FileStorage}. */
export interface FileStorageOptions {
  /** Where the files go, relative to the working directory or absolute; made when it is missing. */
  directory: string
  /**
   * `publish` (default): a finished file and its name are on the disk before its last fragment is acknowledged.
   * `fragment`: each fragment too. `none`: whenever the system pleases.
   */
  durability?: Durability | undefined
  /** Make the parent directories a destination needs. Default: true; with false such uploads are refused with 404. */
  createDirectories?: boolean | undefined
}

const STAGED = /^([0-9a-f]{32})\.(?:part(?:\.new|\.moved)?|reply(?:\.tmp)?)$/

const FILE_STORAGE_CHECKS: OptionChecks<FileStorageOptions> = {
  directory: isPath,
  durability: isOneOf<Durability>({ none: true, publish: true, fragment: true }),
  createDirectories: isBoolean,
}

/** Uploads as files below a directory. Staged data lies in its `BITS-Sessions`, on the same file system. */
export class FileStorage implements StorageAdapter {
  readonly directory: string
  readonly durability: Durability
  readonly #uploads: UploadDirectory
  readonly #link: Link
  readonly #sync: Sync
  readonly #forced: DirectorySync

  /** @throws OptionError when an option is wrong. */
  constructor(options: FileStorageOptions, internals: { link?: Link; sync?: Sync } = {}) {
    checkEach({ name: 'FileStorage', checks: FILE_STORAGE_CHECKS, required: ['directory'] }, options)
    const { directory, durability = 'publish', createDirectories = true } = options
    this.#uploads = new UploadDirectory(directory, createDirectories)
    this.durability = durability
    this.#link = internals.link ?? link
    this.#sync = internals.sync ?? fsync
    this.#forced = new DirectorySync(this.#sync)
    this.directory = this.#uploads.root
  }

  async open(): Promise<void> {
    await this.#syncDirectories(await this.#uploads.open())
  }

  has(destination: string): Promise<boolean> {
    return this.#uploads.has(destination)
  }

  async begin(upload: StagedUpload): Promise<void> {
    await close(await open(this.path(upload), 'wx'))
  }

  async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number> {
    const file = await openStaged(this.path(upload), offset)
    try {
      const length = await gatherWrite(writable(file), offset, body, signal)
      if (this.durability === 'fragment') {
        await this.#sync(file)
        if (offset === 0) await this.#syncDirectories([this.#uploads.staging])
      }
      return length
    } finally {
      await close(file)
    }
  }

  async received(upload: StagedUpload): Promise<number> {
    const facts = await stat(this.path(upload)).catch(ignoreNotFound)
    if (facts?.nlink === 1) return facts.size
    if (facts) return this.#heldUnlessPublished(upload, facts.size)
    return (await this.#wasMoved(upload)) ? (upload.total ?? 0) : 0
  }

  read(upload: StagedUpload): Readable {
    return createReadStream(this.path(upload))
  }

  path(upload: StagedUpload): string {
    return join(this.#uploads.staging, `${upload.uploadId}.part`)
  }

  async publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile> {
    const staged = this.path(upload)
    const facts = await lstat(staged).catch(ignoreNotFound)
    const size = upload.total ?? facts?.size ?? 0
    const target = await this.#uploads.locate(upload.destination, true)
    const { path } = target
    const file = { destination: upload.destination, size, path }
    if (facts) {
      if (facts.size !== size) {
        throw new Error(
          `Staged data of ${upload.uploadId} holds ${facts.size} bytes of ${size}: it cannot be published.`,
        )
      }
      if (this.durability !== 'none') await syncFile(staged, this.#sync)
      const put = options.overwrite ? publishOver : publishNew
      await put(staged, path, upload.destination, this.#link)
    } else {
      await this.#refuseUnlessMoved(upload, file)
    }
    if (this.durability !== 'none') await this.#forced.sync(target)
    return file
  }

  async discard(upload: StagedUpload, options: { keepReply?: boolean } = {}): Promise<void> {
    const staged = this.path(upload)
    const reply = this.replyPath(upload)
    // After a publication there is one or the other. What a crash may have left goes when the session does.
    if (options.keepReply && (await remove(staged))) return
    const gone = [staged, tempLinkPath(staged), movedMarkerPath(staged), draftOf(reply)]
    if (!options.keepReply) gone.push(reply)
    await Promise.all(gone.map(remove))
  }

  async *staged(): AsyncIterable<StagedData> {
    for await (const entry of await opendir(this.#uploads.staging)) {
      const id = STAGED.exec(entry.name)?.[1]
      const facts = id && (await stat(join(this.#uploads.staging, entry.name)).catch(ignoreNotFound))
      if (id && facts) yield { uploadId: id, lastModified: facts.mtime }
    }
  }

  async writeReply(upload: StagedUpload, body: Readable): Promise<number> {
    const size = await writeReplyFile(this.replyPath(upload), body, this.durability !== 'none')
    await this.#syncDirectories([this.#uploads.staging])
    return size
  }

  statReply(upload: StagedUpload): Promise<StoredReply | undefined> {
    return statReplyFile(this.replyPath(upload))
  }

  readReply(upload: StagedUpload, range?: ByteRange): Readable {
    return readReplyFile(this.replyPath(upload), range)
  }

  replyPath(upload: StagedUpload): string {
    return join(this.#uploads.staging, `${upload.uploadId}.reply`)
  }

  async #syncDirectories(directories: readonly string[]): Promise<void> {
    if (this.durability === 'none') return
    for (const directory of directories) await syncDirectory(directory, this.#sync)
  }

  /** Staged data with a second name may be the file at its destination, to which nothing is to be added. */
  async #heldUnlessPublished(upload: StagedUpload, size: number): Promise<number> {
    if (upload.total === undefined || upload.total === size) return size
    const { path } = await this.#uploads.locate(upload.destination, false)
    if (!(await isOneFile(this.path(upload), path))) return size
    throw new BitsError('total-changed', `"${upload.destination}" is published, with ${size} bytes.`)
  }

  /** A file without staged data stands at its destination: published before, though the session does not know yet. */
  async #refuseUnlessMoved(upload: StagedUpload, file: StoredFile & { path: string }): Promise<void> {
    const facts = await lstat(file.path).catch(ignoreNotFound)
    if (facts?.isFile() && facts.size === file.size && (await this.#wasMoved(upload))) return
    throw new BitsError('staged-data-missing', `The staged data of "${file.destination}" is gone.`)
  }

  async #wasMoved(upload: StagedUpload): Promise<boolean> {
    return (await stat(movedMarkerPath(this.path(upload))).catch(ignoreNotFound)) !== undefined
  }
}
