import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { setHash } from '../../lib/cli/passwd/htpasswd-update.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

test('simultaneous runs of passwd lose no user', async () => {
  const file = join(await directory(), 'users.htpasswd')
  const users = Array.from({ length: 12 }, (_, n) => `user${n}`)
  await Promise.all(users.map((user) => setHash(file, user, `${user}:hash`)))
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  expect(lines.sort()).toEqual(users.map((user) => `${user}:hash`).sort())
})
