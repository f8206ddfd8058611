import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { build } from 'esbuild'
import { PACKAGES } from '../../demo/set-up.mjs'

test('npm start installs all packages that the demo imports, and no others', async () => {
  const { metafile } = await build({
    entryPoints: [join(import.meta.dirname, '../../demo/main.ts')],
    bundle: true,
    write: false,
    metafile: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    outfile: 'demo.mjs',
  })
  const imported = Object.values(metafile.outputs)
    .flatMap(({ imports }) => imports)
    .map(({ path }) => path)
    .filter((path) => !isBuiltin(path))
  const manifest = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'))
  const expected = [...PACKAGES, ...Object.keys(manifest.dependencies)]
  // `tsx` is not imported, as it runs the demo.
  expect([...new Set([...imported, 'tsx'])].sort()).toEqual(expected.sort())
})
