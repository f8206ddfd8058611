/** Identifies who requests a password check, to order the checks. */
export interface Claimant {
  readonly address: string
  readonly user: string
}

/** A claimant's recent failures and current checks: first by address, then by user at that address. */
export interface Standing {
  readonly address: number
  readonly user: number
}

/**
 * The waiting checks, at most `limit` of them. The next one comes from the address with the best standing and, at that
 * address, from the user with the best standing. Among equals, the latest goes first: its client is the least likely to
 * have given up, and should not pay for a crowd that came before. When the queue is full, a new check displaces the one
 * that would run last.
 */
export class CheckQueue<T extends Claimant> {
  readonly #limit: number
  readonly #standingOf: (claimant: T) => Standing
  /** In order of arrival. */
  #waiting: T[] = []

  constructor(limit: number, standingOf: (claimant: T) => Standing) {
    this.#limit = limit
    this.#standingOf = standingOf
  }

  get size(): number {
    return this.#waiting.length
  }

  /** @returns the check that is displaced, possibly this one. */
  add(check: T): T | undefined {
    this.#waiting.push(check)
    if (this.#waiting.length <= this.#limit) return undefined
    const last = this.#last()
    if (last) this.remove(last)
    return last
  }

  remove(check: T): void {
    this.#waiting = this.#waiting.filter((one) => one !== check)
  }

  /** Takes out all checks that meet a condition. */
  takeAll(condition: (check: T) => boolean): T[] {
    const taken = this.#waiting.filter(condition)
    if (taken.length > 0) this.#waiting = this.#waiting.filter((one) => !taken.includes(one))
    return taken
  }

  /** Takes out the next check that may run. */
  next(mayRun: (check: T) => boolean): T | undefined {
    let best: { check: T; standing: Standing } | undefined
    for (const check of this.#waiting) {
      if (!mayRun(check)) continue
      const standing = this.#standingOf(check)
      if (!best || compare(standing, best.standing) <= 0) best = { check, standing }
    }
    if (best) this.remove(best.check)
    return best?.check
  }

  /** Waiting checks count against their address here: otherwise the first to flood an empty queue would keep it. */
  #last(): T | undefined {
    const crowd = new Map<string, number>()
    for (const { address } of this.#waiting) crowd.set(address, (crowd.get(address) ?? 0) + 1)
    let worst: { check: T; standing: Standing } | undefined
    for (const check of this.#waiting) {
      const { address, user } = this.#standingOf(check)
      const standing = { address: address + (crowd.get(check.address) ?? 0), user }
      if (!worst || compare(standing, worst.standing) > 0) worst = { check, standing }
    }
    return worst?.check
  }
}

const compare = (one: Standing, other: Standing): number =>
  one.address - other.address || one.user - other.user
