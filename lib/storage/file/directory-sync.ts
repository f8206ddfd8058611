import { type Sync, syncDirectory } from '../../util/fs.js'
import type { Target } from './upload-directory.js'

/** Directories to remember; beyond that it starts over, which costs a few needless calls. */
const MAX = 10_000

/**
 * Forces names to the disk: after a power cut a file is found by its name, below directories that are found by theirs.
 * A directory that was made may not be there yet, whoever made it, this process or one that died before it forced
 * anything; so all of a file's directories are forced once in the life of this process, and afterwards its parent only.
 */
export class DirectorySync {
  readonly #sync: Sync
  /** Directories whose own names are on the disk, those above them included. */
  readonly #found = new Set<string>()

  constructor(sync: Sync) {
    this.#sync = sync
  }

  async sync({ parents, hasNewParents }: Pick<Target, 'parents' | 'hasNewParents'>): Promise<void> {
    const [parent] = parents
    const isFound = this.#found.has(parent) && !hasNewParents
    for (const directory of isFound ? [parent] : parents) await syncDirectory(directory, this.#sync)
    if (this.#found.size >= MAX) this.#found.clear()
    this.#found.add(parent)
  }
}
