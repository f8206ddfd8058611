/** Work that did not end in time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/**
 * Waits for `work` up to `milliseconds`, whether or not it can be stopped.
 *
 * @param stop called when the time is over.
 * @throws DeadlineError when the time is over; the outcome of the work is then ignored.
 */
export async function withDeadline<T>(work: Promise<T>, milliseconds: number, stop: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new DeadlineError(`no answer within ${milliseconds} ms`))
      stop()
    }, milliseconds)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}
