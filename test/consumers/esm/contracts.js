import { MemorySessionStore, MemoryStorage } from 'express-bits-upload'
import { sessionStoreContract, storageContract } from 'express-bits-upload/testing'

storageContract(() => {
  const storage = new MemoryStorage()
  return { storage, published: async (destination) => storage.files.get(destination) }
})
sessionStoreContract(() => ({ store: new MemorySessionStore() }))
