import { existsSync } from 'node:fs'
import { readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from '@jest/globals'
import { FileStorage, MemoryStorage, type StagedUpload, type StorageAdapter } from 'express-bits-upload'
import { type StorageUnderTest, storageContract } from 'express-bits-upload/testing'
import { temporaryDirectory } from '../support/serve.js'
import { SimpleStorage } from '../support/simple-storage.js'

const runner = { describe, test }

/**
 * A storage that keeps its files in a directory.
 *
 * @param part where staged bytes lie, below the directory.
 */
async function inDirectory(
  make: (directory: string) => StorageAdapter,
  part: (upload: StagedUpload) => string,
): Promise<StorageUnderTest> {
  const directory = await temporaryDirectory()
  return {
    storage: make(directory.path),
    published: (destination) => readFile(join(directory.path, destination)).catch(() => undefined),
    ...(existsSync(FULL_DISK) && {
      breakAppends: async (upload) => {
        const path = join(directory.path, part(upload))
        await rm(path)
        await symlink(FULL_DISK, path)
      },
    }),
    remove: directory.remove,
  }
}

/** Linux has a file that takes no bytes, and never has any. */
const FULL_DISK = '/dev/full'

const inStaging = ({ uploadId }: StagedUpload): string => join('BITS-Sessions', `${uploadId}.part`)
const cannotLink = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))

for (const durability of ['publish', 'fragment', 'none'] as const) {
  storageContract(() => inDirectory((directory) => new FileStorage({ directory, durability }), inStaging), {
    runner,
    name: `FileStorage with durability ${durability} as a storage`,
  })
}

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

storageContract(
  () =>
    inDirectory(
      (directory) => new SimpleStorage(directory),
      ({ uploadId }) => `.${uploadId}`,
    ),
  {
    runner,
    name: 'A storage of somebody else as a storage',
  },
)
