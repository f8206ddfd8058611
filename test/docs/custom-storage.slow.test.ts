import { existsSync } from 'node:fs'
import { readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from '@jest/globals'
import type { StorageAdapter } from 'express-bits-upload'
import { storageContract } from 'express-bits-upload/testing'
import { block } from './blocks.js'
import { TempProject } from './temp-project.js'

/** A Linux device that accepts no bytes. */
const FULL_DISK = '/dev/full'

for (const name of ['OneFolder', 'OneFolderWithReplies']) {
  storageContract(
    async () => {
      const project = await TempProject.open()
      await project.write(block('ts', { containing: 'class OneFolder ' }))
      const path = await project.write(block('ts', { containing: `class ${name} ` }))
      const { [name]: Storage }: Record<string, new (folder: string) => StorageAdapter> = await import(path)
      if (!Storage) throw new Error(`The block has no class ${name}.`)
      return {
        storage: new Storage(project.cwd),
        published: (destination) =>
          readFile(join(project.cwd, 'files', encodeURIComponent(destination))).catch(() => undefined),
        ...(existsSync(FULL_DISK) && {
          breakAppends: async ({ uploadId }) => {
            const staged = join(project.cwd, 'staged', uploadId)
            await rm(staged)
            await symlink(FULL_DISK, staged)
          },
        }),
        remove: () => project.close(),
      }
    },
    { runner: { describe, test }, name: `the documented ${name}` },
  )
}
