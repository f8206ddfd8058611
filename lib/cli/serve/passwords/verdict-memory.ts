/** Milliseconds after its last use for which a verdict is remembered. */
const VERDICT_TTL = 60_000

/** Maximum number of verdicts of each kind; beyond that, the least recently used are forgotten. */
const MAX_KEPT = 10_000

/**
 * Remembers for a minute which credentials were right and which were wrong: bcrypt is slow by design, and each packet
 * of an upload brings the password again. Wrong ones are kept apart, so that guesses cannot push out users.
 */
export class VerdictMemory {
  readonly #now: () => number
  readonly #expiry = { true: new Map<string, number>(), false: new Map<string, number>() }

  constructor(now: () => number) {
    this.#now = now
  }

  /** @returns `undefined` for credentials that are not remembered. */
  recall(mark: string): boolean | undefined {
    for (const verdict of [true, false]) {
      const kept = this.#expiry[`${verdict}`]
      const expiry = kept.get(mark)
      if (expiry === undefined) continue
      kept.delete(mark)
      if (expiry <= this.#now()) return undefined
      kept.set(mark, this.#now() + VERDICT_TTL)
      return verdict
    }
    return undefined
  }

  keep(mark: string, verdict: boolean): void {
    const kept = this.#expiry[`${verdict}`]
    kept.delete(mark)
    kept.set(mark, this.#now() + VERDICT_TTL)
    if (kept.size <= MAX_KEPT) return
    const [oldest] = kept.keys()
    if (oldest !== undefined) kept.delete(oldest)
  }
}
