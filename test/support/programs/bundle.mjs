import { cp, mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '../../..')

/**
 * Bundles the command line once for a run of Jest: Node starts a bundle in a fifth of the CPU time that a TypeScript
 * loader takes, and the tests start hundreds of processes.
 *
 * The bundle lies in the repository, so that the package finds itself and its optional peers by name.
 */
export default async function bundlePrograms() {
  const cache = join(ROOT, '.cache')
  await mkdir(cache, { recursive: true })
  const directory = await mkdtemp(join(cache, 'programs-'))
  await build({
    absWorkingDir: ROOT,
    entryPoints: { cli: 'lib/cli/main.ts' },
    outdir: directory,
    bundle: true,
    splitting: true,
    sourcemap: 'inline',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Optional peers that are compiled, or load others by names of their own.
    external: ['kerberos', '@aws-sdk/*', 'redis', 'ioredis', 'pg'],
    // Bundled CommonJS libraries call `require` for Node's own modules.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'\nconst require = createRequireOfBundle(import.meta.url)",
    },
    logLevel: 'warning',
  })
  await cp(join(ROOT, 'lib/dashboard/public'), join(directory, 'public'), { recursive: true })
  process.env.BITS_TEST_PROGRAMS = directory
}
