import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { BitsError } from '../errors.js'
import { lstat, realpath, stat } from '../fs.js'
import { isDirectory, RESERVED_NAME } from './destination.js'

/** Where a file goes, with no symbolic link left in the way. */
export interface Target {
  readonly path: string
  /** Directories whose entries changed when the target's parents were made, innermost first. */
  readonly touched: readonly string[]
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
  #realRoot: string | undefined

  constructor(directory: string, createDirectories: boolean) {
    this.root = resolve(directory)
    this.staging = join(this.root, RESERVED_NAME)
    this.#createDirectories = createDirectories
  }

  async open(): Promise<void> {
    await mkdir(this.staging, { recursive: true, mode: 0o700 })
    this.#realRoot = await realpath(this.root)
  }

  /**
   * Where `destination` lies.
   *
   * @param make make the parent directories that are missing.
   * @throws BitsError `destination-refused` when it lies outside the directory, or below a file; `parent-missing` when
   * directories are not to be made.
   */
  async locate(destination: string, make: boolean): Promise<Target> {
    const path = join(this.root, destination)
    const { real, missing } = await nearestReal(dirname(path))
    await this.#refuseOutside(real, destination)
    const parent = join(real, ...missing)
    if (missing.length > 0 && !this.#createDirectories) {
      throw new BitsError('parent-missing', `The directory of "${destination}" does not exist.`)
    }
    // Where nothing is missing, this finds out whether the parent is a directory. The root is.
    if (make && (missing.length > 0 || real !== this.#realRoot))
      await mkdir(parent, { recursive: true }).catch(refuseBelowFile)
    const touched = [real, ...missing.map((_, n) => join(real, ...missing.slice(0, n + 1)))].reverse()
    return { path: join(parent, basename(path)), touched }
  }

  /**
   * Is there anything at `destination`, a link included?
   *
   * @throws BitsError as {@link locate}; `destination-is-directory` for a link to one too, which must not be replaced.
   */
  async has(destination: string): Promise<boolean> {
    const { path } = await this.locate(destination, false)
    const facts = await lstat(path).catch(unlessMissing)
    const led = facts?.isSymbolicLink() ? await stat(path).catch(() => undefined) : facts
    if (led?.isDirectory()) throw isDirectory(destination)
    return facts !== undefined
  }

  async #refuseOutside(real: string, destination: string): Promise<void> {
    this.#realRoot ??= await realpath(this.root)
    const inside = real === this.#realRoot || real.startsWith(this.#realRoot + sep)
    const staging = join(this.#realRoot, RESERVED_NAME)
    if (!inside || real === staging || real.startsWith(staging + sep)) {
      throw new BitsError(
        'destination-refused',
        `"${destination}" leads out of the directory of the uploads.`,
      )
    }
  }
}

/** The part of a path that exists, links resolved, and the segments below it that do not. */
async function nearestReal(
  path: string,
  missing: string[] = [],
): Promise<{ real: string; missing: string[] }> {
  const real = await realpath(path).catch(unlessMissing)
  if (real !== undefined) return { real, missing }
  const facts = await lstat(path).catch(unlessMissing)
  // A link to nowhere is there all the same, and nothing may be made through it.
  if (facts?.isSymbolicLink()) {
    throw new BitsError('destination-refused', `"${basename(path)}" is a symbolic link that leads nowhere.`)
  }
  // Another upload may have made the directory meanwhile.
  return facts ? nearestReal(path, missing) : nearestReal(dirname(path), [basename(path), ...missing])
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
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
