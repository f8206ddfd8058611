import { join } from 'node:path'
import { describe, test } from '@jest/globals'
import type { SessionStore } from 'express-bits-upload'
import { sessionStoreContract } from 'express-bits-upload/testing'
import { block } from './blocks.js'
import { TempProject } from './temp-project.js'

sessionStoreContract(
  async () => {
    const project = await TempProject.open()
    const path = await project.write(block('ts', { containing: 'class OneFile ' }))
    const { OneFile }: { OneFile: new (path: string) => SessionStore } = await import(path)
    return {
      store: new OneFile(join(project.cwd, 'sessions.json')),
      remove: () => project.close(),
    }
  },
  { runner: { describe, test }, name: 'the documented session store' },
)
