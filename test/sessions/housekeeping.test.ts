import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

const SCRIPT = fileURLToPath(new URL('../fixtures/idle-upload.ts', import.meta.url))

test('clean-up timers do not keep a process running', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, await directory()], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 25_000,
    killSignal: 'SIGKILL',
  })
  expect(await once(child, 'exit')).toEqual([0, null])
})
