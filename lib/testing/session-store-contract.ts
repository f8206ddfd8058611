import type { SessionStore } from '../../types/session.js'
import { type ContractOptions, register } from './runner.js'
import { CHANGING } from './session-store-changing.js'
import { KEEPING } from './session-store-keeping.js'
import { LISTING } from './session-store-listing.js'

/** A session store under test. */
export interface StoreUnderTest {
  /** An empty one, not open yet. */
  readonly store: SessionStore
  /** Called after each test, after the store was closed; optional. */
  remove?(): Promise<void>
}

/**
 * Registers the tests that every session store has to pass: the contract of `SessionStore`, but for `lock`, which takes
 * several processes to be tested.
 *
 * @param make called for each test.
 * @example sessionStoreContract(() => ({ store: new MyStore() }))
 */
export function sessionStoreContract(
  make: () => StoreUnderTest | Promise<StoreUnderTest>,
  options: ContractOptions = {},
): void {
  const use = async (check: (store: SessionStore) => Promise<void>) => {
    const { store, remove } = await make()
    try {
      await store.open?.()
      await check(store)
    } finally {
      await store.close?.()
      await remove?.()
    }
  }
  const checks = { ...KEEPING, ...CHANGING, ...LISTING }
  register('the contract of a session store', checks, use, options)
}
