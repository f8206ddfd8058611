import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StorageAdapter } from 'express-bits-upload'
import { describeStorage } from '../storage/storage-contract.js'
import { block } from './blocks.js'
import { Workshop } from './run-block.js'

describeStorage("the README's own storage", async () => {
  const workshop = await Workshop.open()
  const path = await workshop.write(block('ts', { containing: 'class OneFolder ' }))
  const { OneFolder }: { OneFolder: new (folder: string) => StorageAdapter } = await import(path)
  return {
    storage: new OneFolder(workshop.cwd),
    published: (destination) =>
      readFile(join(workshop.cwd, 'files', encodeURIComponent(destination))).catch(() => undefined),
    remove: () => workshop.close(),
  }
})
