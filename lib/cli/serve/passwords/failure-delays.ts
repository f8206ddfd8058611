import { busy } from './too-busy-error.js'

/** Milliseconds by which the answer to the first wrong password is delayed, doubled for each further one. */
const FIRST_DELAY = 100
const MAX_DELAY = 30_000

/** Maximum number of answers delayed at a time. */
const MAX_DELAYED = 1000

/** Delays the answers to wrong passwords. */
export class FailureDelays {
  #delayed = 0

  /**
   * @param failures wrong passwords so far, this one included.
   * @param signal ends the wait early.
   * @throws TooBusyError while too many answers are delayed.
   */
  async wait(failures: number, signal: AbortSignal): Promise<void> {
    if (this.#delayed >= MAX_DELAYED) throw busy()
    this.#delayed++
    try {
      await waitFor(Math.min(FIRST_DELAY * 2 ** (failures - 1), MAX_DELAY), signal)
    } finally {
      this.#delayed--
    }
  }
}

/** Resolves early when the signal aborts. */
function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end)
  })
}
