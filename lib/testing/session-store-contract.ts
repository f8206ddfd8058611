import type { SessionStore } from '../../types/session.js'
import { type ContractOptions, register } from './runner.js'
import { CHANGING } from './session-store-changing.js'
import { COUNTING } from './session-store-counting.js'
import { KEEPING } from './session-store-keeping.js'
import { LISTING } from './session-store-listing.js'

/** A session store under test. */
export interface StoreUnderTest {
  /** Empty and not open yet. */
  readonly store: SessionStore
  /** Called after each test, after the store was closed; optional. */
  remove?(): Promise<void>
}

/** Each clause of the contract with its tests. */
export const SESSION_STORE_CLAUSES = { ...KEEPING, ...CHANGING, ...LISTING, ...COUNTING }

/**
 * Registers the tests that every session store has to pass: the contract of `SessionStore`, except `lock`, for which
 * there is {@link sessionLockContract}. Optional methods are tested where the store has them.
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
  register('the contract of a session store', SESSION_STORE_CLAUSES, use, options)
}
