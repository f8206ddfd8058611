import { constants } from 'node:fs'
import { join } from 'node:path'
import { BitsError } from '../../protocol/bits-error.js'
import { errorCode, ignoreNotFound } from '../../util/errors.js'
import { type FileSystem, syncDirectory, syncOpenDirectory } from '../../util/fs.js'
import type { QuickCalls } from '../../util/quick-calls.js'
import { type Location, refuseOutside } from './destination-locator.js'
import { belowFileError, ignoreUnsupportedMode, refuseBelowFile } from './directory-errors.js'
import { directoriesBetween } from './upload-directory.js'

const OPEN_DIRECTORY = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0)
const NO_LINK = OPEN_DIRECTORY | (constants.O_NOFOLLOW ?? 0)
const SET_GROUP_ID = 0o2000

interface OpenOptions {
  readonly fs: FileSystem
  readonly quick: QuickCalls
  readonly destination: string
  /** Mode of directories that are created; `undefined` leaves it to umask and default ACL. */
  readonly mode?: number | undefined
}

/**
 * The directory of a destination, while a file is created or published in it.
 *
 * Between the check of a path and its use, a local user who may write below the root can replace a directory with a
 * symbolic link. On Linux the directory is therefore opened once, checked by the path it then has, and used through its
 * descriptor (`/proc/self/fd/N/name`), which no replacement can redirect. Elsewhere, and without `/proc`, the path is
 * resolved once more afterward ({@link ParentDirectory.verify}): a file outside is removed again, after existing for a
 * moment.
 */
export class ParentDirectory {
  /** Its absolute path when it was opened. */
  readonly path: string
  /** The directories of a file in it, from this one up to the root. */
  readonly parents: readonly [string, ...string[]]
  /** Whether one of them was created for the file. */
  readonly hasNewParents: boolean
  /** The innermost directory that was not created. */
  readonly existing: string
  readonly #fs: FileSystem
  readonly #quick: QuickCalls
  readonly #descriptor: number | undefined

  private constructor(
    { fs, quick }: OpenOptions,
    location: Location,
    path: string,
    descriptor: number | undefined,
  ) {
    this.path = path
    this.parents = directoriesBetween(location.root, this.path)
    this.hasNewParents = location.missing.length > 0
    this.existing = location.existing
    this.#fs = fs
    this.#quick = quick
    this.#descriptor = descriptor
  }

  /**
   * Creates missing directories, and opens the innermost. The caller has to close it.
   *
   * @throws BitsError `destination-refused` when the location was replaced by something outside.
   */
  static async open(location: Location, options: OpenOptions): Promise<ParentDirectory> {
    const pinned = await pin(location, options)
    if (pinned === undefined) {
      return new ParentDirectory(options, location, await makeByPath(location, options), undefined)
    }
    const path = join(location.existing, ...location.missing)
    const descriptor = location.missing.length > 0 ? await descend(pinned, location, options) : pinned
    return new ParentDirectory(options, location, path, descriptor)
  }

  /** The path to use for a name in the directory. */
  pathOf(name: string): string {
    return join(this.#descriptor === undefined ? this.path : pathThrough(this.#descriptor), name)
  }

  /** Flushes its entries to disk. */
  sync(): Promise<void> {
    return this.#descriptor === undefined
      ? syncDirectory(this.path, this.#fs.fsync, this.#fs)
      : syncOpenDirectory(this.#descriptor, this.#fs.fsync)
  }

  /** Distinguishes this directory from another one that has the same path later. */
  async identity(): Promise<string> {
    const facts =
      this.#descriptor === undefined
        ? await this.#fs.stat(this.path, { bigint: true })
        : await this.#fs.fstat(this.#descriptor, { bigint: true })
    return `${facts.dev}:${facts.ino}:${facts.birthtimeNs}`
  }

  /**
   * Checks that the path led to this directory, if it could not be pinned.
   *
   * @throws BitsError `destination-refused`
   */
  async verify(destination: string, undo: () => Promise<void>): Promise<void> {
    if (this.#descriptor !== undefined || this.parents.length === 1) return
    const now = await this.#fs.realpath(this.path).catch(ignoreNotFound)
    if (now === this.path) return
    await undo()
    throw exchangedError(destination)
  }

  async close(): Promise<void> {
    if (this.#descriptor !== undefined) await this.#quick.close(this.#descriptor)
  }
}

const pathThrough = (descriptor: number): string => `/proc/self/fd/${descriptor}`

const exchangedError = (destination: string): BitsError =>
  new BitsError('destination-refused', `The directory of "${destination}" was replaced during publication.`)

/** @returns a descriptor of the existing directory; `undefined` if it must be used by its path. */
async function pin(location: Location, { quick, destination }: OpenOptions): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined
  let descriptor: number
  try {
    descriptor = await quick.open(location.existing, OPEN_DIRECTORY)
  } catch (error) {
    // It can be written to but not read, so `verify` has to suffice.
    if (errorCode(error) === 'EACCES') return undefined
    return refuseBelowFile(error)
  }
  const path = await quick.readlink(pathThrough(descriptor)).catch(() => undefined)
  if (path === undefined) {
    await quick.close(descriptor)
    return undefined
  }
  try {
    // The operator may replace the root: a link that now leads elsewhere is a new root.
    if (location.existing !== location.root) refuseOutside(path, location.root, destination)
    return descriptor
  } catch (error) {
    await quick.close(descriptor)
    throw error
  }
}

/** Creates and opens one directory after another, never through a link. Closes the descriptor it is given. */
async function descend(
  start: number,
  { missing }: Location,
  { fs, destination, mode }: OpenOptions,
): Promise<number> {
  let current = start
  try {
    for (const name of missing) {
      const path = join(pathThrough(current), name)
      await makeDirectory(path, fs, mode)
      const next = await fs.open(path, NO_LINK).catch((error: unknown) => {
        if (errorCode(error) === 'ENOENT') throw exchangedError(destination)
        return refuseBelowFile(error)
      })
      const above = current
      current = next
      await fs.close(above)
    }
    return current
  } catch (error) {
    await fs.close(current)
    throw error
  }
}

/** @returns the path of the innermost directory, as the file system spells it. */
async function makeByPath(
  { existing, missing, root }: Location,
  { fs, destination, mode }: OpenOptions,
): Promise<string> {
  let path = existing
  if (!(await fs.lstat(path)).isDirectory()) throw belowFileError()
  for (const name of missing) {
    path = join(path, name)
    const isNew = await makeDirectory(path, fs, mode)
    if (!(await fs.lstat(path)).isDirectory()) throw belowFileError()
    if (isNew) continue
    // Another upload created it, perhaps in another case if the file system ignores case.
    path = await fs.realpath(path)
    refuseOutside(path, root, destination)
  }
  return path
}

/** @returns false if it already exists, or if a file does, which the next step detects. */
async function makeDirectory(path: string, fs: FileSystem, mode: number | undefined): Promise<boolean> {
  try {
    await fs.mkdir(path, mode)
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
  if (mode === undefined) return true
  // Exactly as configured, whatever the umask; the setgid bit is inherited and stays.
  const inherited = (await fs.stat(path)).mode & SET_GROUP_ID
  await fs.chmod(path, mode | inherited).catch(ignoreUnsupportedMode)
  return true
}
