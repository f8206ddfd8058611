import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { SessionStore } from 'express-bits-upload'
import { sessionStoreContract } from 'express-bits-upload/testing'
import { describeWithEngine } from '../support/engines.js'
import { block } from './blocks.js'
import { TempProject } from './temp-project.js'

/** Not a development dependency, because it may have to be compiled. */
function hasSqlite(): boolean {
  try {
    createRequire(import.meta.url).resolve('better-sqlite3')
    return true
  } catch {
    return false
  }
}

const documented = block('js', { containing: 'class SqliteSessions ' })

describeWithEngine('the package better-sqlite3', hasSqlite, () => {
  sessionStoreContract(
    async () => {
      const project = await TempProject.open()
      const path = await project.write(documented)
      const { SqliteSessions }: { SqliteSessions: new (path: string) => SessionStore } = await import(path)
      return {
        store: new SqliteSessions(join(project.cwd, 'sessions.db')),
        remove: () => project.close(),
      }
    },
    { runner: { describe, test }, name: 'the documented session store in SQLite' },
  )
})

test('the session store in SQLite is shorter than 60 lines', () => {
  expect(documented.text.trimEnd().split('\n').length).toBeLessThan(60)
})
