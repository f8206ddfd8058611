import type { StorageUnderTest } from 'express-bits-upload/testing'
import type { PlainStorage } from './plain-storage.js'

export const underTest = (storage: PlainStorage): StorageUnderTest => ({
  storage,
  published: async (destination) => storage.files.get(destination)?.content,
  breakAppends: async ({ uploadId }) => void storage.full.add(uploadId),
})
