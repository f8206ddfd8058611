import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
)

/** The packages that a module imports, directly or through its own modules. */
async function packagesOf(entry: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    // Otherwise the paths in tsconfig.json would resolve the package's own name to a file.
    tsconfigRaw: {},
    logLevel: 'silent',
  })
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  return [...new Set(imported)].filter((path) => !path.startsWith('node:') && !builtinModules.includes(path))
}

test('the main entry loads no optional package', async () => {
  const allowed = [...Object.keys(dependencies), 'express']
  const loaded = await packagesOf('lib/index.ts')
  expect(loaded.length).toBeGreaterThan(0)
  expect(loaded.filter((name) => !allowed.includes(name))).toEqual([])
})

test('tracing loads the API of OpenTelemetry, and nothing else', async () => {
  expect(await packagesOf('lib/opentelemetry/index.ts')).toEqual(['@opentelemetry/api'])
})

test('metrics load prom-client, and nothing else', async () => {
  expect(await packagesOf('lib/metrics/index.ts')).toEqual(['prom-client'])
})
