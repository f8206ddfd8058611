/**
 * Waits for all promises, even if some fail.
 * @throws the error of the one that failed; an `AggregateError` if several did.
 */
export async function allSettledOrThrow(works: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1)
    throw new AggregateError(failures, `${failures.length} failed: ${failures.join('; ')}`)
}

/** Not `instanceof`: in Jest or in a `vm` context, promises belong to different realms. */
export const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
