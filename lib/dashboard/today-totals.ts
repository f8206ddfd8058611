interface DayTotals {
  readonly day: string
  readonly files: number
  readonly bytes: number
}

/** Counts the uploads published since midnight, by this process. */
export class TodayTotals {
  #totals: DayTotals = { day: '', files: 0, bytes: 0 }

  /** @param size bytes of a published file. */
  add(size: number): void {
    const { day, files, bytes } = this.at(Date.now())
    this.#totals = { day, files: files + 1, bytes: bytes + size }
  }

  /** @param now milliseconds since 1970. */
  at(now: number): DayTotals {
    const day = new Date(now).toDateString()
    return this.#totals.day === day ? this.#totals : { day, files: 0, bytes: 0 }
  }
}
