import type { Stats } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { RESERVED_NAME } from '../../protocol/reserved-folder.js'
import { ignoreNotFound } from '../../util/errors.js'
import type { FileSystem } from '../../util/fs.js'
import { isOnLocalFileSystem } from '../../util/local-file-system.js'
import type { QuickCalls } from '../../util/quick-calls.js'
import { explainNotWritable, ignoreUnsupportedMode } from './directory-errors.js'

interface UploadDirectoryOptions {
  readonly directory: string
  readonly fs: FileSystem
  readonly quick: QuickCalls
}

/** The directory below which all files lie, and the folder in it for staged data. */
export class UploadDirectory {
  readonly root: string
  /** Staged data: on the same file system as the files, so that publication needs no copy. */
  readonly staging: string
  /** Whether it is known to be on a local file system. */
  isLocal = false
  readonly #fs: FileSystem
  readonly #quick: QuickCalls
  /** Identity of the folder of staged data when it was last opened. */
  #opened: string | undefined

  constructor({ directory, fs, quick }: UploadDirectoryOptions) {
    this.root = resolve(directory)
    this.staging = join(this.root, RESERVED_NAME)
    this.#fs = fs
    this.#quick = quick
  }

  /**
   * Creates missing directories, and denies other users access to the staged data.
   *
   * @returns directories whose entries changed because the root was created.
   * @throws Error that names a remedy, when uploads could never be stored here.
   */
  async open(): Promise<string[]> {
    // Another file system may have been mounted over it.
    this.isLocal = false
    try {
      const made = await this.#fs.mkdir(this.root, { recursive: true })
      await this.#fs.mkdir(this.staging, { recursive: true, mode: 0o700 })
      await this.#checkStaging()
      this.isLocal = await isOnLocalFileSystem(this.staging, this.#fs)
      this.#opened = stagingIdentity(await this.#fs.lstat(this.staging))
      return made === undefined ? [] : directoriesBetween(dirname(made), this.root)
    } catch (error) {
      throw explainNotWritable(error, this.root)
    }
  }

  /** Opens the directories again if they were removed, or others have taken their place, since they were opened. */
  async ensureOpen(): Promise<void> {
    const facts = await this.#quick.lstat(this.staging)
    if (facts === undefined || stagingIdentity(facts) !== this.#opened) await this.open()
  }

  async #checkStaging(): Promise<void> {
    const [root, staging] = await Promise.all([this.#fs.stat(this.root), this.#fs.stat(this.staging)])
    if (root.dev !== staging.dev) {
      throw new Error(
        `"${this.staging}" is on a different file system from "${this.root}", so that no upload could be published ` +
          'in one step: unmount it, or give bitsUpload() a directory on that file system.',
      )
    }
    if (process.platform !== 'win32' && (staging.mode & 0o077) !== 0) {
      await this.#fs.chmod(this.staging, 0o700).catch(ignoreUnsupportedMode)
    }
    const probe = join(this.staging, 'probe')
    await this.#fs.close(await this.#fs.open(probe, 'w', 0o600))
    await this.#fs.unlink(probe).catch(ignoreNotFound)
  }
}

const stagingIdentity = ({ dev, ino }: Stats): string => `${dev}:${ino}`

/** `from`, and all directories from there down to `to`, which lies below it; innermost first. */
export function directoriesBetween(from: string, to: string): [string, ...string[]] {
  const directories: [string, ...string[]] = [to]
  for (let at = to; at !== from && at !== dirname(at); ) {
    at = dirname(at)
    directories.push(at)
  }
  return directories
}
