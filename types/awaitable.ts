/** The result of a storage or session store method: a value, or a promise of one. Returning plain values is faster. */
export type Awaitable<T> = T | Promise<T>
