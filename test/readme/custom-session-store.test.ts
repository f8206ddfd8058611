import { join } from 'node:path'
import type { SessionStore } from 'express-bits-upload'
import { describeSessionStore } from '../sessions/session-store-contract.js'
import { block } from './blocks.js'
import { Workshop } from './run-block.js'

describeSessionStore("the README's own store", async () => {
  const workshop = await Workshop.open()
  const path = await workshop.write(block('ts', { containing: 'class OneFile ' }))
  const { OneFile }: { OneFile: new (path: string) => SessionStore } = await import(path)
  return {
    store: new OneFile(join(workshop.cwd, 'sessions.json')),
    remove: () => workshop.close(),
  }
})
