import { existsSync } from 'node:fs'
import { readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { StagedUpload, StorageAdapter } from 'express-bits-upload'
import type { StorageUnderTest } from 'express-bits-upload/testing'
import { temporaryDirectory } from '../support/serve.js'

/**
 * A storage that keeps its files in a directory.
 *
 * @param part path of staged data, relative to the directory.
 */
export async function inDirectory(
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

/** A Linux device that accepts no bytes. */
const FULL_DISK = '/dev/full'

export const inStaging = ({ uploadId }: StagedUpload): string => join('BITS-Sessions', `${uploadId}.part`)
