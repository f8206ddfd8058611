import { BoundedMap } from '../../util/bounded-map.js'
import type { QuickCalls } from '../../util/quick-calls.js'
import type { Location } from './destination-locator.js'

/** Maximum number of checks to remember: some are never used, because their session was refused. */
const MAX_CHECKED = 1000

/**
 * The directories of destinations that were just checked. A session is created between the check and the beginning of
 * its upload, which would otherwise have to locate the same directory a second time.
 */
export class CheckedDirectories {
  readonly #quick: Pick<QuickCalls, 'realpath'>
  readonly #locations = new BoundedMap<string, Location>(MAX_CHECKED)

  constructor(quick: Pick<QuickCalls, 'realpath'>) {
    this.#quick = quick
  }

  remember(destination: string, location: Location): void {
    this.#locations.set(destination, location)
  }

  /**
   * The directory nearest to a destination, once for each check. It may have been replaced with a symbolic link in the
   * meantime, so its path must still lead to itself.
   *
   * @returns `undefined` when it has to be located again.
   */
  async take(destination: string): Promise<string | undefined> {
    const location = this.#locations.get(destination)
    if (!location) return undefined
    this.#locations.delete(destination)
    const { existing, root } = location
    // Links above the root are the operator's.
    if (existing === root) return existing
    const now = await this.#quick.realpath(existing).catch(() => undefined)
    return now === existing ? existing : undefined
  }
}
