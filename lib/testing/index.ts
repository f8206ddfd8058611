export type { ContractOptions, Runner } from './runner.js'
export { type LocksUnderTest, sessionLockContract } from './session-lock-contract.js'
export { type StoreUnderTest, sessionStoreContract } from './session-store-contract.js'
export { type StorageUnderTest, storageContract } from './storage-contract.js'
