import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { BitsError } from '../../protocol/bits-error.js'
import { directoryError } from '../../protocol/destination.js'
import { RESERVED_NAME } from '../../protocol/reserved-folder.js'
import { lstat, realpath, stat } from '../../util/fs.js'

/** Where a file goes, with no symbolic link left in the way. */
export interface Target {
  readonly path: string
  /** The directories it lies in, from its parent up to the root. */
  readonly parents: readonly [string, ...string[]]
  /** Was one of them made for it? */
  readonly hasNewParents: boolean
}

/**
 * The directory below which all files lie. Names are safe by their form already (`destination.ts`); here symbolic links
 * are followed and what leads out of the directory is refused.
 */
export class UploadDirectory {
  readonly root: string
  /** Staged data: on the same file system as the files, so that publication needs no copy. */
  readonly staging: string
  readonly #createDirectories: boolean

  constructor(directory: string, createDirectories: boolean) {
    this.root = resolve(directory)
    this.staging = join(this.root, RESERVED_NAME)
    this.#createDirectories = createDirectories
  }

  /** @returns directories whose entries changed, as the root was made. */
  async open(): Promise<string[]> {
    const made = await mkdir(this.root, { recursive: true })
    await mkdir(this.staging, { recursive: true, mode: 0o700 })
    return made === undefined ? [] : directoriesBetween(dirname(made), this.root)
  }

  /**
   * Where `destination` lies.
   *
   * @param make make the parent directories that are missing.
   * @throws BitsError `destination-refused` when it lies outside the directory, on another file system, or below a file;
   * `parent-missing` when directories are not to be made.
   * @throws Error when the root itself is gone.
   */
  async locate(destination: string, make: boolean): Promise<Target> {
    const path = join(this.root, destination)
    // Links above the root are whoever's it is: there is nothing to follow.
    if (dirname(path) === this.root) return { path, parents: [this.root], hasNewParents: false }
    const { real, missing } = await nearestReal(dirname(path), this.root)
    const realRoot = await this.#refuseElsewhere(real, destination)
    const parent = join(real, ...missing)
    if (missing.length > 0 && !this.#createDirectories) {
      throw new BitsError('parent-missing', `The directory of "${destination}" does not exist.`)
    }
    // Where nothing is missing, this finds out whether the parent is a directory.
    if (make) await mkdir(parent, { recursive: true }).catch(refuseBelowFile)
    const parents = directoriesBetween(realRoot, parent)
    return { path: join(parent, basename(path)), parents, hasNewParents: missing.length > 0 }
  }

  /**
   * Is there anything at `destination`, a link included?
   *
   * @throws BitsError as {@link locate}; `destination-is-directory` for a link to one too, which must not be replaced.
   */
  async has(destination: string): Promise<boolean> {
    const { path } = await this.locate(destination, false)
    const facts = await lstat(path).catch(unlessMissingParent)
    const led = facts?.isSymbolicLink() ? await stat(path).catch(() => undefined) : facts
    if (led?.isDirectory()) throw directoryError(destination)
    return facts !== undefined
  }

  /** @returns the root, links resolved. */
  async #refuseElsewhere(real: string, destination: string): Promise<string> {
    const realRoot = await realpath(this.root)
    if (real === realRoot) return realRoot
    if (!isWithin(real, realRoot) || isWithin(real, join(realRoot, RESERVED_NAME))) {
      throw new BitsError(
        'destination-refused',
        `"${destination}" leads out of the directory of the uploads.`,
      )
    }
    const [here, there] = await Promise.all([stat(realRoot), stat(real)])
    // Better refused now than after days: a file cannot be published to another file system in one step.
    if (here.dev !== there.dev) {
      throw new BitsError(
        'destination-refused',
        `"${destination}" lies on another file system than "${this.staging}": mount a bitsUpload() of its own there.`,
      )
    }
    return realRoot
  }
}

const isWithin = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory + sep)

/** `from`, and all directories from there down to `to`, which lies below it; innermost first. */
function directoriesBetween(from: string, to: string): [string, ...string[]] {
  const directories: [string, ...string[]] = [to]
  for (let at = to; at !== from && at !== dirname(at); ) {
    at = dirname(at)
    directories.push(at)
  }
  return directories
}

/** The part of a path below `root` that exists, links resolved, and the segments below it that do not. */
async function nearestReal(
  path: string,
  root: string,
  missing: string[] = [],
): Promise<{ real: string; missing: string[] }> {
  const real = await realpath(path).catch(unlessMissingParent)
  if (real !== undefined) return { real, missing }
  if (path === root) throw new Error(`The directory of the uploads, "${root}", is gone.`)
  const facts = await lstat(path).catch(unlessMissingParent)
  // A link to nowhere is there all the same, and nothing may be made through it.
  if (facts?.isSymbolicLink()) {
    throw new BitsError('destination-refused', `"${basename(path)}" is a symbolic link that leads nowhere.`)
  }
  // Another upload may have made the directory meanwhile.
  return facts
    ? nearestReal(path, root, missing)
    : nearestReal(dirname(path), root, [basename(path), ...missing])
}

function unlessMissingParent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  return refuseBelowFile(error)
}

function refuseBelowFile(error: NodeJS.ErrnoException): never {
  if (error.code === 'ENOTDIR' || error.code === 'EEXIST' || error.code === 'ELOOP') {
    throw new BitsError('destination-refused', 'A file is where a directory of the path would be.', {
      cause: error,
    })
  }
  throw error
}
