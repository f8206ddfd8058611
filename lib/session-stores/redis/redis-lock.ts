import { createHash } from 'node:crypto'
import { BitsError } from '../../protocol/bits-error.js'
import { checkEach, type OptionChecks } from '../../validation/check-options.js'
import { isInteger } from '../../validation/value-checks.js'
import type { RedisSessionStore } from './redis-session-store.js'

/** Milliseconds to wait for another server's work: shorter than a client waits for its Ack (5 minutes). */
const DEFAULT_LOCK_TIMEOUT = 4 * 60 * 1000

const CHECKS: OptionChecks<{ timeout?: number }> = {
  timeout: (value) => isInteger(value, 'milliseconds', 0, 600_000),
}

/**
 * A lock that all servers with the same session store share: the option `exclusive` of an `S3Storage`.
 *
 * @param timeout milliseconds to wait for it. Default: 240,000.
 * @returns a function that runs `work` while no server runs anything else for `key`. It rejects with a `BitsError`
 * `session-busy` (503) when the lock is not available in time.
 * @throws OptionError if an option is invalid.
 */
export function redisLock(
  store: Pick<RedisSessionStore, 'lock'>,
  options: { timeout?: number } = {},
): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  checkEach({ name: 'redisLock', checks: CHECKS }, options)
  const { timeout = DEFAULT_LOCK_TIMEOUT } = options
  return async (key, work) => {
    const release = await store.lock(createHash('sha256').update(key).digest('hex'), {
      timeout,
      // A publication that has begun is finished in any case.
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
