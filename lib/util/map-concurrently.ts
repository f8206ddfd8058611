/**
 * Maps items with up to `limit` calls at a time. After a failure no more calls are started, and those in progress
 * finish first.
 * @returns the results in the order of the items.
 */
export async function mapConcurrently<Item, Result>(
  items: readonly Item[],
  limit: number,
  map: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  let failure: { readonly error: unknown } | undefined
  const work = async () => {
    for (const [index, item] of queue) {
      try {
        results[index] = await map(item, index)
      } catch (error) {
        failure ??= { error }
      }
      if (failure) return
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  if (failure) throw failure.error
  return results
}
