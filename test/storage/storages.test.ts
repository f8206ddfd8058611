import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileStorage, MemoryStorage, type StorageAdapter } from 'express-bits-upload'
import { temporaryDirectory } from '../support/serve.js'
import { SimpleStorage } from '../support/simple-storage.js'
import { describeStorage, type StorageUnderTest } from './storage-contract.js'

/** A storage that keeps its files in a directory. */
async function inDirectory(make: (directory: string) => StorageAdapter): Promise<StorageUnderTest> {
  const directory = await temporaryDirectory()
  return {
    storage: make(directory.path),
    published: (destination) => readFile(join(directory.path, destination)).catch(() => undefined),
    remove: directory.remove,
  }
}

const cannotLink = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))

for (const durability of ['publish', 'fragment', 'none'] as const) {
  describeStorage(`FileStorage with durability ${durability}`, () =>
    inDirectory((directory) => new FileStorage({ directory, durability })),
  )
}

describeStorage('FileStorage on a file system without hard links', () =>
  inDirectory((directory) => new FileStorage({ directory }, { link: cannotLink })),
)

describeStorage('MemoryStorage', async () => {
  const storage = new MemoryStorage()
  return { storage, published: async (destination) => storage.files.get(destination), remove: async () => {} }
})

describeStorage('A storage of somebody else', () => inDirectory((directory) => new SimpleStorage(directory)))
