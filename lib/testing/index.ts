export type { ContractOptions, Runner } from './runner.js'
export { type StoreUnderTest, sessionStoreContract } from './session-store-contract.js'
export { type StorageUnderTest, storageContract } from './storage-contract.js'
