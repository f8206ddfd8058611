import { type FileSystem, syncDirectory } from '../../util/fs.js'
import { SharedRuns } from '../../util/shared-runs.js'
import type { ParentDirectory } from './parent-directory.js'

/** Maximum number of directories to remember; then it starts again, which costs a few needless calls. */
const MAX_DIRECTORIES = 10_000

/**
 * Flushes names to disk: after a power failure, a file is found by its name, below directories that are found by
 * theirs. A directory that was just created may not be on disk, whether created by this process or by one that died
 * before it flushed anything. Therefore all directories of a file are flushed once in the lifetime of this process, and
 * afterwards only its parent. A directory that was removed and created again counts as a new one.
 *
 * Files that are published in one directory at the same time share a flush that starts after the last of them has its
 * name.
 */
export class DirectorySync {
  readonly #fs: FileSystem
  /** Identities, by path, of directories whose own names are on disk, including those above them. */
  readonly #known = new Map<string, string>()
  /** By identity, because a directory may be replaced with another one at its path. */
  readonly #parents = new SharedRuns()
  /** By path. */
  readonly #others = new SharedRuns()

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  /** Call it when the file has its name, and close `parent` when it has settled. */
  async sync(parent: ParentDirectory): Promise<void> {
    const identity = await parent.identity()
    const isKnown = this.#known.get(parent.path) === identity && !parent.hasNewParents
    await this.#parents.run(identity, () => parent.sync())
    if (isKnown) return
    for (const directory of parent.parents.slice(1)) await this.syncPath(directory)
    if (this.#known.size >= MAX_DIRECTORIES) this.#known.clear()
    this.#known.set(parent.path, identity)
  }

  /** Flushes the entries of the directory that has this path when the flush starts. */
  syncPath(directory: string): Promise<void> {
    return this.#others.run(directory, () => syncDirectory(directory, this.#fs.fsync, this.#fs))
  }
}
