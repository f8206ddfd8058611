import { copyFile, cp, mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '../../..')
/** Below the package, so that the servers find their libraries. */
const CACHE = join(ROOT, 'node_modules/.cache')

/** The programs that servers of a fleet run: `serve`, or an app with a short lease. */
export const PROGRAMS = { serve: 'lib/cli/main.ts', app: 'test/fixtures/fleet-server.ts' } as const
export type Program = keyof typeof PROGRAMS

/** Builds a program as it is shipped, as plain JavaScript, which starts faster than sources. @returns its directory. */
export async function buildServer(program: Program): Promise<string> {
  await mkdir(CACHE, { recursive: true })
  const outdir = await mkdtemp(join(CACHE, 'express-bits-upload-fleet-'))
  await build({
    absWorkingDir: ROOT,
    entryPoints: { main: PROGRAMS[program] },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
  })
  // The command line reads the version of its package, and the files of the dashboard.
  await copyFile(join(ROOT, 'package.json'), join(outdir, 'package.json'))
  await cp(join(ROOT, 'lib/dashboard/public'), join(outdir, 'public'), { recursive: true })
  return outdir
}
