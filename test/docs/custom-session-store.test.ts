import { join } from 'node:path'
import { describe, test } from '@jest/globals'
import type { SessionStore } from 'express-bits-upload'
import { sessionStoreContract } from 'express-bits-upload/testing'
import { block } from './blocks.js'
import { Workshop } from './run-block.js'

sessionStoreContract(
  async () => {
    const workshop = await Workshop.open()
    const path = await workshop.write(block('ts', { containing: 'class OneFile ' }))
    const { OneFile }: { OneFile: new (path: string) => SessionStore } = await import(path)
    return {
      store: new OneFile(join(workshop.cwd, 'sessions.json')),
      remove: () => workshop.close(),
    }
  },
  { runner: { describe, test }, name: 'the documented session store' },
)
