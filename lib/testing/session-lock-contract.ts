import type { LocksUnderTest } from './locks-under-test.js'
import { type ContractOptions, register } from './runner.js'
import { LOCK_HANDOVER } from './session-lock-handover.js'
import { LOCK_HOLDING } from './session-lock-holding.js'

/** Seconds that a test may take: it waits until a dead process's lock has expired. */
const TEST_TIMEOUT = 60

/** Each clause of the contract with its tests. */
export const SESSION_LOCK_CLAUSES = { ...LOCK_HOLDING, ...LOCK_HANDOVER }

/**
 * Registers the tests for the `lock` of a session store that several processes share. They take about a minute, most of
 * it spent waiting until locks have expired.
 *
 * @param make called for each test.
 * @example sessionLockContract(() => {
 *   const [one, other] = [new MyStore(), new MyStore()]
 *   return { one, other, die: async (store) => (store === one ? one : other).stopHeartbeat() }
 * })
 */
export function sessionLockContract(
  make: () => LocksUnderTest | Promise<LocksUnderTest>,
  options: ContractOptions = {},
): void {
  const use = async (check: (subject: LocksUnderTest) => Promise<void>) => {
    const subject = await make()
    const { one, other, remove } = subject
    try {
      await one.open?.()
      await other.open?.()
      await check(subject)
    } finally {
      // A store that died may be unable to close.
      await Promise.allSettled([one, other].map(async (store) => store.close?.()))
      await remove?.()
    }
  }
  register('the contract of a session lock', SESSION_LOCK_CLAUSES, use, {
    ...options,
    timeout: TEST_TIMEOUT * 1000,
  })
}
