import { join } from 'node:path'
import { BitsError } from '../../protocol/bits-error.js'
import { errorCode, ignoreNotFound } from '../../util/errors.js'
import type { FileSystem } from '../../util/fs.js'
import { isNotWritable } from './directory-errors.js'
import { hasMountPoints } from './mount-points.js'
import type { ParentDirectory } from './parent-directory.js'
import { remove } from './staged-file.js'

/** Milliseconds for which the result of a probe is valid. */
const PROBE_TTL = 60_000
/** Directories to remember; beyond that it starts over. */
const MAX_PROBED_DIRECTORIES = 10_000
/** The mode that `open` asks for by default, from which umask or default ACL take away. */
const DEFAULT_FILE_MODE = 0o666
const PROBE_NAME = '.bits-probe.tmp'

/** The result of probing a directory. */
export interface WriteProbeResult {
  /** The mode of a file that is created there. */
  readonly fileMode: number
  /** Whether files can be moved from there to the staged data. */
  readonly isMovable: boolean
  /** Whether other file systems may be mounted at names in the directory. */
  readonly hasMountPoints: boolean
}

/**
 * Tries whether files can be written to a directory, before a client sends any byte (D40). A probe file is created
 * there and moved to the staged data; both are undone. The result is valid for a minute, or until an error there.
 */
export class WriteProbe {
  readonly #fs: FileSystem
  readonly #staging: string
  readonly #now: () => number
  readonly #results = new Map<string, WriteProbeResult & { readonly until: number }>()
  readonly #running = new Map<string, Promise<WriteProbeResult>>()

  constructor(fs: FileSystem, staging: string, now: () => number = Date.now) {
    this.#fs = fs
    this.#staging = staging
    this.#now = now
  }

  /** The result that is still valid for a directory. */
  known(directory: string): WriteProbeResult | undefined {
    const result = this.#results.get(directory)
    return result && result.until > this.#now() ? result : undefined
  }

  /** @throws BitsError `destination-refused` when nothing can be written to the directory. */
  async check(directory: ParentDirectory): Promise<WriteProbeResult> {
    const { path } = directory
    const known = this.known(path)
    if (known) return known
    const running =
      this.#running.get(path) ?? this.#probe(directory).finally(() => this.#running.delete(path))
    this.#running.set(path, running)
    const result = await running
    this.remember(path, result)
    return result
  }

  /** For a directory that was created in a probed one, and has inherited from it. */
  remember(directory: string, result: WriteProbeResult): void {
    if (this.#results.size >= MAX_PROBED_DIRECTORIES) this.#results.clear()
    this.#results.set(directory, { ...result, until: this.#now() + PROBE_TTL })
  }

  forget(directory: string): void {
    this.#results.delete(directory)
  }

  async #probe(directory: ParentDirectory): Promise<WriteProbeResult> {
    const path = directory.pathOf(PROBE_NAME)
    const fileMode = await this.#create(path, directory.path)
    const found = { fileMode, hasMountPoints: await hasMountPoints(directory.path, this.#fs) }
    const moved = join(this.#staging, 'probe')
    try {
      await this.#fs.rename(path, moved)
    } catch (error) {
      const wasThere = await remove(path, this.#fs)
      // Already removed: another process probes the directory at the same time.
      return { ...found, isMovable: errorCode(error) === 'ENOENT' && !wasThere }
    }
    await remove(moved, this.#fs)
    return { ...found, isMovable: true }
  }

  async #create(path: string, directory: string): Promise<number> {
    try {
      const file = await this.#open(path)
      try {
        return (await this.#fs.fstat(file)).mode & 0o777
      } finally {
        await this.#fs.close(file)
      }
    } catch (error) {
      if (!isNotWritable(error)) throw error
      throw new BitsError(
        'destination-refused',
        `Nothing can be written to "${directory}" (${errorCode(error)}): give the user that runs this process ` +
          'write access to it, or mount it writable.',
        { cause: error },
      )
    }
  }

  async #open(path: string): Promise<number> {
    try {
      return await this.#fs.open(path, 'wx', DEFAULT_FILE_MODE)
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
      // A process that was killed left it, or another one is about to remove it.
      const facts = await this.#fs.lstat(path).catch(ignoreNotFound)
      if (facts?.isFile() && facts.size === 0) await remove(path, this.#fs)
      return this.#fs.open(path, 'wx', DEFAULT_FILE_MODE)
    }
  }
}
