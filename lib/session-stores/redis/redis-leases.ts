import { type LeaseTable, WISH_LIFETIME } from '../lease-locks.js'
import type { RedisKeys } from './keys.js'
import type { RunScript } from './requester.js'
import { LOCK, RENEW, UNLOCK } from './scripts.js'

const RENEWALS = ['lost', 'held', 'wanted'] as const

/** Leases in the hash of the session, so that a change of the session can check the lock in the same step. */
export function redisLeases(run: RunScript, keys: RedisKeys, lease: number): LeaseTable {
  return {
    async acquire(key, holder, wish) {
      return Number(await run(LOCK, [keys.session(key)], [holder, lease, wish ? WISH_LIFETIME : 0])) === 1
    },
    async renew(key, holder) {
      return RENEWALS[Number(await run(RENEW, [keys.session(key)], [holder, lease]))] ?? 'lost'
    },
    async release(key, holder) {
      await run(UNLOCK, [keys.session(key)], [holder])
    },
  }
}
