import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Mounts a file system in memory. @returns whether that succeeded. */
export const mountTmpfs = (path: string, size: number): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]).status === 0

export const unmount = (path: string): void => void spawnSync('umount', ['--lazy', path])

/** Whether this process may mount file systems: for {@link describeOnSystems}. */
export function mayMount(): boolean {
  mountable ??= canMountTmpfs()
  return mountable
}

let mountable: boolean | undefined

function canMountTmpfs(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'bits-mount-'))
  const may = mountTmpfs(path, 4096)
  if (may) unmount(path)
  rmdirSync(path)
  return may
}
