import { execFile } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { build } from 'esbuild'
import { BitsError } from 'express-bits-upload'
import { temporaryDirectory } from '../support/serve.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

class Refusal extends BitsError {}

test('a subclass recognizes its own instances only', () => {
  const plain = new BitsError('access-denied', 'no')
  const refusal = new Refusal('access-denied', 'no')
  expect([plain instanceof BitsError, refusal instanceof BitsError]).toEqual([true, true])
  expect([plain instanceof Refusal, refusal instanceof Refusal]).toEqual([false, true])
  for (const other of [new Error('no'), null, undefined, 'no', {}])
    expect(other instanceof BitsError).toBe(false)
})

// Each CommonJS build contains a copy of the class.
test('a BitsError of one CommonJS build keeps its code and HRESULT in another', async () => {
  const directory = await temporaryDirectory()
  try {
    await build({
      absWorkingDir: ROOT,
      entryPoints: { one: 'lib/protocol/bits-error.ts', other: 'lib/protocol/to-bits-error.ts' },
      outdir: directory.path,
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      logLevel: 'silent',
    })
    await symlink(join(ROOT, 'node_modules'), join(directory.path, 'node_modules'))
    const script = `
      const { BitsError } = require('./one.cjs')
      const { toBitsError } = require('./other.cjs')
      const { code, hresult, status } = toBitsError(new BitsError('disk-full', 'full'))
      console.log(JSON.stringify({ code, hresult, status }))`
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: directory.path })
    expect(JSON.parse(stdout)).toEqual({ code: 'disk-full', hresult: 0x80070070, status: 500 })
  } finally {
    await directory.remove()
  }
})
