import { cp, mkdir, mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '../../..')

const common = {
  absWorkingDir: ROOT,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  // Without white space and source maps, Node reads the server in two thirds of the time.
  minifyWhitespace: true,
}

/**
 * Bundles the command line and the package once for a run of Jest: Node starts a bundle in a fifth of the CPU time that
 * a TypeScript loader takes, and the tests start hundreds of processes.
 *
 * The bundles are in the repository, so that they find the package and its optional peers by name.
 */
export default async function bundlePrograms() {
  const cache = join(ROOT, '.cache')
  await mkdir(cache, { recursive: true })
  const directory = await mkdtemp(join(cache, 'programs-'))
  await Promise.all([bundleCommandLine(directory), bundlePackage(join(directory, 'package'))])
  process.env.BITS_TEST_PROGRAMS = directory
}

async function bundleCommandLine(directory) {
  await build({
    ...common,
    entryPoints: { cli: 'lib/cli/main.ts' },
    outdir: directory,
    // Optional peers that are compiled, or that load other packages dynamically.
    external: ['kerberos', '@aws-sdk/*', 'redis', 'ioredis', 'pg'],
    // Bundled CommonJS libraries call `require` for Node's own modules.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'\nconst require = createRequireOfBundle(import.meta.url)",
    },
  })
  await copyPages(directory)
}

/** Bundles the package as it is installed, but only its ES modules. */
async function bundlePackage(directory) {
  const { compilerOptions } = JSON.parse(await readFile(join(ROOT, 'tsconfig.json'), 'utf8'))
  const entries = Object.entries(compilerOptions.paths).map(([name, [source]]) => [
    name.split('/')[1] ?? 'index',
    source,
  ])
  await build({
    ...common,
    entryPoints: Object.fromEntries(entries),
    outdir: join(directory, 'dist'),
    packages: 'external',
  })
  await cp(join(ROOT, 'package.json'), join(directory, 'package.json'))
  await copyPages(join(directory, 'dist'))
}

/** The dashboard expects these files next to its bundle. */
async function copyPages(directory) {
  await cp(join(ROOT, 'lib/dashboard/public'), join(directory, 'public'), { recursive: true })
}
