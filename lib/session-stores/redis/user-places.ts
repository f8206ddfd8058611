import { mapConcurrently } from '../../util/map-concurrently.js'
import type { RedisKeys } from './keys.js'
import { type RunScript, replyTexts } from './requester.js'
import { FREE_PLACE, TAKE_PLACE } from './scripts.js'

/**
 * Milliseconds after which to check that a session with a place still exists. It may have ended without freeing its
 * place, if a process was killed or Redis expired the session.
 */
const BELIEVED_FOR = 60_000
const LOOKUPS_AT_A_TIME = 8

/**
 * Places for users' open sessions. They are in a different slot than the sessions, so they are taken first, and freed
 * last.
 */
export class UserPlaces {
  readonly #run: RunScript
  readonly #keys: RedisKeys
  readonly #ttl: number
  readonly #isOpen: (uploadId: string) => Promise<boolean>

  /** @param isOpen whether the session exists and has not ended. */
  constructor(
    run: RunScript,
    { keys, ttl, isOpen }: { keys: RedisKeys; ttl: number; isOpen: (uploadId: string) => Promise<boolean> },
  ) {
    this.#run = run
    this.#keys = keys
    this.#ttl = ttl
    this.#isOpen = isOpen
  }

  /** @returns whether the place was taken now, or had been before; otherwise the number of places that are taken. */
  async take(user: string | undefined, uploadId: string, max: number): Promise<'taken' | 'had' | number> {
    const { count, doubtful } = await this.#tryTake(user, uploadId, max)
    const areOpen = await mapConcurrently(doubtful, LOOKUPS_AT_A_TIME, async (id) => {
      const isOpen = await this.#isOpen(id)
      if (!isOpen) await this.free(user, id)
      return isOpen
    })
    const settled = areOpen.includes(false) ? (await this.#tryTake(user, uploadId, max)).count : count
    if (settled === -1) return 'taken'
    return settled === -2 ? 'had' : settled
  }

  async free(user: string | undefined, uploadId: string): Promise<void> {
    await this.#run(FREE_PLACE, [this.#keys.counted(user)], [uploadId])
  }

  async #tryTake(user: string | undefined, uploadId: string, max: number) {
    const args = [uploadId, max, this.#ttl, BELIEVED_FOR]
    const [count, ...doubtful] = replyTexts(await this.#run(TAKE_PLACE, [this.#keys.counted(user)], args))
    return { count: Number(count), doubtful }
  }
}
