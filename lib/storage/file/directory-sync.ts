import { type FileSystem, syncDirectory } from '../../util/fs.js'
import type { ParentDirectory } from './parent-directory.js'

/** Directories to remember; beyond that it starts over, which costs a few needless calls. */
const MAX = 10_000

/**
 * Forces names to the disk: after a power cut a file is found by its name, below directories that are found by theirs.
 * A directory that was made may not be there yet, made by this process or by one that died before it forced anything; so
 * all of a file's directories are forced once in the life of this process, and afterwards its parent only. A directory
 * that was removed and made again is another one.
 */
export class DirectorySync {
  readonly #fs: FileSystem
  /** Identities, by path, of directories whose own names are on the disk, those above them included. */
  readonly #known = new Map<string, string>()

  constructor(fs: FileSystem) {
    this.#fs = fs
  }

  async sync(parent: ParentDirectory): Promise<void> {
    const identity = await parent.identity()
    const isKnown = this.#known.get(parent.path) === identity && !parent.hasNewParents
    await parent.sync()
    if (isKnown) return
    for (const directory of parent.parents.slice(1)) {
      await syncDirectory(directory, this.#fs.fsync, this.#fs)
    }
    if (this.#known.size >= MAX) this.#known.clear()
    this.#known.set(parent.path, identity)
  }
}
