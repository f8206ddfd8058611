import { type ContractOptions, register } from './runner.js'
import { StorageBench, type StorageUnderTest } from './storage-bench.js'
import { DISCARDING } from './storage-discarding.js'
import { EARLY_ENDS } from './storage-early-ends.js'
import { HANDLES } from './storage-handles.js'
import { OVERWRITING } from './storage-overwriting.js'
import { PUBLISHING } from './storage-publishing.js'
import { REPLIES } from './storage-replies.js'
import { STAGING } from './storage-staging.js'

/** Each clause of the contract with its tests. */
export const STORAGE_CLAUSES = {
  ...STAGING,
  ...EARLY_ENDS,
  ...PUBLISHING,
  ...OVERWRITING,
  ...DISCARDING,
  ...HANDLES,
  ...REPLIES,
}

/**
 * Registers the tests that every storage has to pass: the contract of `StorageAdapter`, without assumptions about its
 * implementation. Optional methods are tested where the storage has them.
 *
 * @param make called for each test.
 * @example storageContract(() => ({ storage: new MyStorage(), published: (destination) => fetchMine(destination) }))
 */
export function storageContract(
  make: () => StorageUnderTest | Promise<StorageUnderTest>,
  options: ContractOptions = {},
): void {
  const use = async (check: (bench: StorageBench) => Promise<void>) => {
    const subject = await make()
    try {
      await subject.storage.open?.()
      await check(new StorageBench(subject))
    } finally {
      await subject.storage.close?.()
      await subject.remove?.()
    }
  }
  register('the contract of a storage', STORAGE_CLAUSES, use, options)
}
