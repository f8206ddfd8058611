import { describe, test } from '@jest/globals'
import { FileStorage, MemoryStorage } from 'express-bits-upload'
import { storageContract } from 'express-bits-upload/testing'
import { inDirectory, inStaging } from './storage-in-directory.js'

const runner = { describe, test }
const cannotLink = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))

storageContract(() => inDirectory((directory) => new FileStorage({ directory }), inStaging), {
  runner,
  name: 'FileStorage as a storage',
})

storageContract(
  () => inDirectory((directory) => new FileStorage({ directory }, { link: cannotLink }), inStaging),
  { runner, name: 'FileStorage on a file system without hard links as a storage' },
)

storageContract(
  () => {
    const storage = new MemoryStorage({ maxBytes: 50_000_000 })
    return {
      storage,
      published: async (destination) => storage.files.get(destination),
      breakAppends: async () => void storage.files.set('ballast', Buffer.alloc(49_500_000)),
    }
  },
  { runner, name: 'MemoryStorage as a storage' },
)
