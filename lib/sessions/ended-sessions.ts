import type { SessionStore } from '../../types/session.js'

/** Milliseconds for which a closed or cancelled session is remembered (D10). */
export const ENDED_SESSION_TTL = 10 * 60 * 1000

/** Removes the records of ended sessions once no client can be expected to repeat the end. */
export class EndedSessions {
  readonly #store: SessionStore
  readonly #now: () => number
  /** In the order of their end, for stores that cannot list them. */
  readonly #unlisted: { uploadId: string; until: number }[] = []

  constructor(store: SessionStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  add(uploadId: string): void {
    if (!this.#store.ended) this.#unlisted.push({ uploadId, until: this.#now() + ENDED_SESSION_TTL })
  }

  /** Removes sessions that ended more than ten minutes ago. */
  async removeOld(): Promise<void> {
    for await (const { uploadId } of this.#store.ended?.(this.#now() - ENDED_SESSION_TTL + 1) ?? []) {
      await this.#store.delete(uploadId)
    }
    while (this.#unlisted[0] && this.#unlisted[0].until <= this.#now()) {
      const ended = this.#unlisted.shift()
      if (ended) await this.#store.delete(ended.uploadId)
    }
  }
}
