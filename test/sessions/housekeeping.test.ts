import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from '@jest/globals'
import { bundleScript } from '../support/bundle-script.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

const SCRIPT = new URL('../fixtures/idle-upload.ts', import.meta.url)

test('clean-up timers do not keep a process running', async () => {
  const script = await bundleScript(SCRIPT, 'cjs')
  const child = spawn(process.execPath, ['-', await directory()], {
    stdio: ['pipe', 'inherit', 'inherit'],
    timeout: 25_000,
    killSignal: 'SIGKILL',
  })
  child.stdin?.end(script)
  expect(await once(child, 'exit')).toEqual([0, null])
})
