import { basename, dirname, join, sep } from 'node:path'
import { BitsError } from '../../protocol/bits-error.js'
import { directoryError } from '../../protocol/destination.js'
import { RESERVED_NAME } from '../../protocol/reserved-folder.js'
import type { FileSystem } from '../../util/fs.js'
import type { QuickCalls } from '../../util/quick-calls.js'
import { unlessMissingParent } from './directory-errors.js'

/** Milliseconds for which the resolved path of the root is used to recognize directories below it. */
const RECENT = 1_000

/** The location of a file, with all symbolic links resolved. */
export interface Location {
  /** Last segment of the destination. */
  readonly name: string
  /** The nearest directory above it that exists. */
  readonly existing: string
  /** Names of the directories between that and the file, outermost first. */
  readonly missing: readonly string[]
  /** The upload directory, with links resolved where that matters. */
  readonly root: string
}

interface DestinationLocatorOptions {
  /** The upload directory, and the folder of its staged data. */
  readonly uploads: { readonly root: string; readonly staging: string }
  readonly createDirectories: boolean
  readonly fs: FileSystem
  readonly quick: QuickCalls
}

/**
 * Finds out where in the upload directory a destination lies. The form of names is already safe (`destination.ts`); here,
 * symbolic links are followed, and what leads out of the directory is refused.
 */
export class DestinationLocator {
  readonly #root: string
  readonly #staging: string
  readonly #createDirectories: boolean
  readonly #fs: FileSystem
  readonly #quick: QuickCalls
  /** The path of the root, links resolved. */
  #recentRoot: { readonly root: string; readonly until: number } | undefined

  constructor({ uploads, createDirectories, fs, quick }: DestinationLocatorOptions) {
    this.#root = uploads.root
    this.#staging = uploads.staging
    this.#createDirectories = createDirectories
    this.#fs = fs
    this.#quick = quick
  }

  /**
   * Locates `destination`.
   *
   * @param isSameFileSystem tells whether a directory is known to be on the file system of the staged data, so that this
   * need not be found out.
   * @throws BitsError `destination-refused` when it lies outside the directory, on another file system, or below a
   * file; `parent-missing` when directories must not be created.
   * @throws Error when the root itself is gone.
   */
  async locate(
    destination: string,
    isSameFileSystem: (directory: string) => boolean = () => false,
  ): Promise<Location> {
    const path = join(this.#root, destination)
    const name = basename(path)
    // Links above the root are the operator's: there is nothing to follow.
    if (dirname(path) === this.#root) return { name, existing: this.#root, missing: [], root: this.#root }
    const known = isSameFileSystem(dirname(path)) ? await this.#knownDirectory(dirname(path)) : undefined
    if (known && isSameFileSystem(known.existing)) return { name, ...known, missing: [] }
    const root = await this.#quick.realpath(this.#root).catch(unlessMissingParent)
    if (root === undefined) throw new Error(`The upload directory "${this.#root}" is gone.`)
    this.#recentRoot = { root, until: performance.now() + RECENT }
    const { existing, missing } = await this.#nearestExisting(dirname(path), root, isSameFileSystem)
    if (existing !== root) {
      refuseOutside(existing, root, destination)
      if (!isSameFileSystem(existing)) await this.#refuseElsewhere(existing, root, destination)
    }
    if (missing.length > 0 && !this.#createDirectories) {
      throw new BitsError('parent-missing', `The directory of "${destination}" does not exist.`)
    }
    return { name, existing, missing, root }
  }

  /**
   * Tells whether there is anything at `destination`, a link included.
   *
   * @throws BitsError `destination-is-directory` for a link to one too, which must not be replaced.
   */
  async isTaken(
    destination: string,
    { existing, missing, name }: Location,
    calls: Pick<QuickCalls, 'lstat'>,
  ): Promise<boolean> {
    if (missing.length > 0) return false
    const path = join(existing, name)
    const facts = await calls.lstat(path).catch(unlessMissingParent)
    const led = facts?.isSymbolicLink() ? await this.#fs.stat(path).catch(() => undefined) : facts
    if (led?.isDirectory()) throw directoryError(destination)
    return facts !== undefined
  }

  /**
   * A directory that is below the root as it was resolved less than a second ago.
   *
   * @returns `undefined` if it is not, or the root may lead elsewhere by now.
   */
  async #knownDirectory(path: string): Promise<Pick<Location, 'existing' | 'root'> | undefined> {
    if (this.#recentRoot === undefined || performance.now() > this.#recentRoot.until) return undefined
    const { root } = this.#recentRoot
    const existing = await this.#quick.realpath(path).catch(() => undefined)
    return existing !== undefined && holdsFiles(existing, root) ? { existing, root } : undefined
  }

  /** Refuse it now rather than after days: a file cannot be published to another file system in one step. */
  async #refuseElsewhere(existing: string, root: string, destination: string): Promise<void> {
    const [here, there] = await Promise.all([this.#fs.stat(root), this.#fs.stat(existing)])
    if (here.dev === there.dev) return
    throw new BitsError(
      'destination-refused',
      `"${destination}" is on a different file system from "${this.#staging}": mount a bitsUpload() of its own there.`,
    )
  }

  /**
   * The part of a path below the root that exists, links resolved, and the segments below it that do not.
   *
   * @param root its own, links resolved.
   */
  async #nearestExisting(
    path: string,
    root: string,
    isSameFileSystem: (directory: string) => boolean,
    missing: string[] = [],
  ): Promise<{ existing: string; missing: string[] }> {
    if (path === this.#root) return { existing: root, missing }
    // A mounted directory may belong to a server that does not respond.
    const calls = isSameFileSystem(path) ? this.#quick : this.#fs
    const existing = await calls.realpath(path).catch(unlessMissingParent)
    if (existing !== undefined) return { existing, missing }
    const facts = await this.#fs.lstat(path).catch(unlessMissingParent)
    // A dangling link exists too, and nothing may be created through it.
    if (facts?.isSymbolicLink()) {
      throw new BitsError('destination-refused', `"${basename(path)}" is a symbolic link that leads nowhere.`)
    }
    // Another upload may have made the directory meanwhile.
    return facts
      ? this.#nearestExisting(path, root, isSameFileSystem, missing)
      : this.#nearestExisting(dirname(path), root, isSameFileSystem, [basename(path), ...missing])
  }
}

/** @throws BitsError `destination-refused` for a directory that is not below `root`, or holds staged data. */
export function refuseOutside(directory: string, root: string, destination: string): void {
  if (holdsFiles(directory, root)) return
  throw new BitsError('destination-refused', `"${destination}" leads outside the upload directory.`)
}

const holdsFiles = (directory: string, root: string): boolean =>
  isWithin(directory, root) && !isWithin(directory, join(root, RESERVED_NAME))

const isWithin = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep)
