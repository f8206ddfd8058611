import { createHash } from 'node:crypto'
import { BitsError } from '../../protocol/bits-error.js'
import type { RedisSessionStore } from './redis-session-store.js'

/** Milliseconds to wait for another server's work: shorter than a client waits for its Ack (5 minutes). */
const DEFAULT_TIMEOUT = 4 * 60 * 1000

/**
 * A lock that all servers with the same session store share: the option `exclusive` of an `S3Storage`.
 *
 * @param timeout milliseconds to wait for it. Default: 240,000.
 * @returns a function that runs `work` while no server runs anything else for `key`. It rejects with a `BitsError`
 * `session-busy` (503) when the lock is not available in time.
 */
export function redisLock(
  store: Pick<RedisSessionStore, 'lock'>,
  { timeout = DEFAULT_TIMEOUT }: { timeout?: number } = {},
): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  return async (key, work) => {
    const release = await store.lock(createHash('sha256').update(key).digest('hex'), {
      timeout,
      // A publication that has begun is finished either way.
      onReleaseRequested: () => {},
    })
    if (!release) throw new BitsError('session-busy', `Another server is publishing ${JSON.stringify(key)}.`)
    try {
      return await work()
    } finally {
      // A lock that cannot be released expires.
      await Promise.allSettled([release()])
    }
  }
}
