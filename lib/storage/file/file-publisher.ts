import { basename, join } from 'node:path'
import type { StagedUpload, StoredFile } from '../../../types/storage.js'
import { BitsError } from '../../protocol/bits-error.js'
import { ignoreNotFound } from '../../util/errors.js'
import type { FileSystem } from '../../util/fs.js'
import type { QuickCalls } from '../../util/quick-calls.js'
import { announceFile } from './announce-file.js'
import { CheckedDirectories } from './checked-directories.js'
import type { DestinationLocator, Location } from './destination-locator.js'
import type { DirectorySync } from './directory-sync.js'
import { readMovedMarker } from './moved-marker.js'
import { ParentDirectory } from './parent-directory.js'
import { isOneFile, type Publication, publishNew, publishOver } from './publish-file.js'
import type { StagedFiles } from './staged-data.js'
import { remove } from './staged-file.js'
import type { UploadDirectory } from './upload-directory.js'
import { WriteProbe } from './write-probe.js'

interface FilePublisherOptions {
  readonly fs: FileSystem
  readonly quick: QuickCalls
  readonly uploads: UploadDirectory
  readonly locator: DestinationLocator
  readonly staged: StagedFiles
  readonly directories: DirectorySync
  /** Whether files and their names are flushed to disk. */
  readonly sync: boolean
  readonly fileMode: number | undefined
  readonly directoryMode: number | undefined
  readonly now: (() => number) | undefined
}

/** A staged file, and how it is to be published. */
interface FileToPublish {
  readonly upload: StagedUpload
  /** Absolute path of the staged data. */
  readonly path: string
}

/** Handles the directories of destinations: probes them, creates them, and publishes files in them. */
export class FilePublisher {
  readonly #options: FilePublisherOptions
  readonly #fs: FileSystem
  readonly #quick: QuickCalls
  readonly #uploads: UploadDirectory
  readonly #locator: DestinationLocator
  readonly #probe: WriteProbe
  readonly #checked: CheckedDirectories

  constructor(options: FilePublisherOptions) {
    this.#options = options
    this.#fs = options.fs
    this.#quick = options.quick
    this.#checked = new CheckedDirectories(options.quick)
    this.#uploads = options.uploads
    this.#locator = options.locator
    this.#probe = new WriteProbe(options.fs, options.uploads.staging, options.now)
  }

  /**
   * Tells whether something is published at `destination`.
   *
   * @throws BitsError `destination-refused`, `destination-is-directory` or `parent-missing` when nothing can be
   *   published there.
   */
  async check(destination: string): Promise<boolean> {
    await this.#uploads.ensureOpen()
    const location = await this.#locate(destination)
    const isTaken = await this.#locator.isTaken(destination, location, this.#lookupIn(location))
    if (!this.#probe.known(location.existing)) {
      const existing = { ...location, missing: [] }
      await this.#within(existing, destination, (parent) => this.#probe.check(parent))
    }
    this.#checked.remember(destination, location)
    return isTaken
  }

  /**
   * Creates the staged file of an upload, in the directory of its destination, and then moves it. So it has the group,
   * default ACL and security label of a file in that directory, and keeps them until its publication.
   */
  async createStaged({ upload, path }: FileToPublish): Promise<void> {
    const { destination } = upload
    const existing = (await this.#checked.take(destination)) ?? (await this.#locate(destination)).existing
    const isMovable = this.#probe.known(existing)?.isMovable
    if (isMovable && (await this.#createAndMove(join(existing, createdName(upload)), path))) return
    this.#probe.forget(existing)
    await this.#uploads.ensureOpen()
    await this.#quick.close(await this.#quick.open(path, 'wx', 0o600))
  }

  /** @throws BitsError as {@link check}; `destination-taken`; `staged-data-missing`. */
  async publish({ upload, path: staged }: FileToPublish, overwrite: boolean): Promise<StoredFile> {
    const { destination, uploadId } = upload
    const facts = await this.#quick.lstat(staged)
    const size = upload.total ?? facts?.size ?? 0
    if (facts && facts.size !== size) {
      throw new Error(
        `Staged data of ${uploadId} holds ${facts.size} bytes of ${size}: it cannot be published.`,
      )
    }
    const location = await this.#locate(destination)
    try {
      await this.#within(location, destination, async (parent) => {
        if (facts) await this.#give({ upload, path: staged }, parent, size, overwrite, facts.nlink > 1)
        else await this.#refuseUnlessMoved(upload, staged, parent.pathOf(location.name), size)
        if (this.#options.sync) await this.#options.directories.sync(parent)
      })
    } catch (error) {
      this.#probe.forget(location.existing)
      throw error
    }
    return { destination, size, path: pathOfLocation(location) }
  }

  /** Removes what a dead process may have left next to a destination. */
  async removeLeftovers(upload: StagedUpload): Promise<void> {
    // The sweep does not know uploads without a session.
    if (upload.destination === '') return
    const location = await this.#locator.locate(upload.destination).catch(() => undefined)
    if (!location) return
    const names = [createdName(upload), copyName(upload)]
    await Promise.all(names.map((name) => remove(join(location.existing, name), this.#fs)))
  }

  /** Tells whether a staged file is the one at its destination. */
  async isPublished({ upload, path }: FileToPublish): Promise<boolean> {
    const location = await this.#locator.locate(upload.destination)
    return isOneFile(path, pathOfLocation(location), this.#fs)
  }

  /** Looks at the name of a file, which may be a mount point. */
  #lookupIn({ existing }: Location): Pick<QuickCalls, 'lstat'> {
    if (this.#probe.known(existing)?.hasMountPoints === false) return this.#quick
    return { lstat: (path) => this.#fs.lstat(path).catch(ignoreNotFound) }
  }

  /** A directory from which files were moved to the staged data is on its file system. */
  #locate(destination: string): Promise<Location> {
    return this.#locator.locate(destination, (directory) => this.#probe.known(directory)?.isMovable === true)
  }

  async #createAndMove(path: string, staged: string): Promise<boolean> {
    try {
      await this.#quick.close(await this.#quick.open(path, 'wx', 0o600))
      await this.#quick.rename(path, staged)
      return true
    } catch {
      await remove(path, this.#fs).catch(() => {})
      return false
    }
  }

  async #within<T>(
    location: Location,
    destination: string,
    work: (parent: ParentDirectory) => Promise<T>,
  ): Promise<T> {
    const mode = this.#options.directoryMode
    const parent = await ParentDirectory.open(location, {
      fs: this.#fs,
      quick: this.#quick,
      destination,
      mode,
    })
    try {
      return await work(parent)
    } finally {
      await parent.close()
    }
  }

  async #give(
    { upload, path: staged }: FileToPublish,
    parent: ParentDirectory,
    size: number,
    overwrite: boolean,
    isPublished: boolean,
  ): Promise<void> {
    const { sync } = this.#options
    const { destination } = upload
    const mode = await this.#modeOf(parent)
    await this.#options.staged.complete({ uploadId: upload.uploadId, path: staged }, size, {
      sync,
      mode,
      isPublished,
    })
    const name = basename(destination)
    const publication: Publication = {
      ...{
        fs: this.#fs,
        quick: this.#quick,
        staged,
        parent,
        name,
        copyName: copyName(upload),
        destination,
        size,
        mode,
      },
      sync: sync ? this.#fs.fsync : undefined,
    }
    const put = overwrite ? publishOver : publishNew
    await put(publication)
    const path = parent.pathOf(name)
    await parent.verify(destination, async () => {
      if (await isOneFile(staged, path, this.#fs)) await remove(path, this.#fs)
    })
    await announceFile(path, size, { fs: this.#fs, quick: this.#quick })
  }

  /** The mode of a published file: as configured, or that of any file created in the directory. */
  async #modeOf(parent: ParentDirectory): Promise<number | undefined> {
    const { fileMode } = this.#options
    if (fileMode !== undefined || process.platform === 'win32') return fileMode
    const inherited = parent.hasNewParents ? this.#probe.known(parent.existing) : undefined
    if (inherited) this.#probe.remember(parent.path, inherited)
    return (this.#probe.known(parent.path) ?? (await this.#probe.check(parent))).fileMode
  }

  /** An upload without staged data was published before, but its session could not record that. */
  async #refuseUnlessMoved(upload: StagedUpload, staged: string, path: string, size: number): Promise<void> {
    const marker = await readMovedMarker(staged, this.#fs)
    // The file may be gone: its consumer may have moved it.
    if (marker?.size === size) return
    if (marker && marker.size === undefined) {
      const facts = await this.#fs.lstat(path).catch(ignoreNotFound)
      if (facts?.isFile() && facts.size === size) return
    }
    throw new BitsError('staged-data-missing', `The staged data of "${upload.destination}" was removed.`)
  }
}

const pathOfLocation = ({ existing, missing, name }: Location): string => join(existing, ...missing, name)

/** Temporary names next to a destination. No client knows the id of an upload before it has ended. */
const createdName = ({ uploadId }: StagedUpload): string => `.bits-${uploadId}.tmp`
const copyName = ({ uploadId }: StagedUpload): string => `.bits-${uploadId}.part`
