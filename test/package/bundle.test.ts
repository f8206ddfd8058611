import { execFile } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { build } from 'esbuild'
import { temporaryDirectory } from '../support/serve.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

// In an ESM bundle, a CommonJS dependency that calls `require()` for a module of Node fails as soon as it is loaded.
test('an ESM bundle of an app, which contains the package and its dependencies, answers a Ping', async () => {
  const directory = await temporaryDirectory()
  try {
    const outfile = join(directory.path, 'app.mjs')
    await build({
      absWorkingDir: ROOT,
      entryPoints: ['test/fixtures/ping-itself.ts'],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      // Express itself cannot be bundled as ESM, so it is installed next to the bundle.
      external: ['express'],
      alias: { 'express-bits-upload': join(ROOT, 'lib/index.ts') },
      logLevel: 'silent',
    })
    await symlink(join(ROOT, 'node_modules'), join(directory.path, 'node_modules'))
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, [outfile, join(directory.path, 'uploads')])
    expect(stdout).toMatch(/^HTTP\/1\.1 200 .*^BITS-Packet-Type: Ack\r$/ms)
  } finally {
    await directory.remove()
  }
}, 120_000)
