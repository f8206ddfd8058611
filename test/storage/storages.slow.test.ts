import { describe, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { storageContract } from 'express-bits-upload/testing'
import { SimpleStorage } from '../support/simple-storage.js'
import { inDirectory, inStaging } from './storage-in-directory.js'

const runner = { describe, test }

for (const durability of ['fragment', 'none'] as const) {
  storageContract(() => inDirectory((directory) => new FileStorage({ directory, durability }), inStaging), {
    runner,
    name: `FileStorage with durability ${durability} as a storage`,
  })
}

storageContract(
  () =>
    inDirectory(
      (directory) => new SimpleStorage(directory),
      ({ uploadId }) => `.${uploadId}`,
    ),
  {
    runner,
    name: 'A custom storage as a storage',
  },
)
