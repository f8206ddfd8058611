import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Mounts a file system in memory. @returns whether that worked. */
export const mountTmpfs = (path: string, size: number): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]).status === 0

export const unmount = (path: string): void => void spawnSync('umount', ['--lazy', path])

/** May this process mount anything? Where not, tests have to do without, and it is said. */
export function mayMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'bits-mount-'))
  const may = mountTmpfs(path, 4096)
  if (may) unmount(path)
  else process.stderr.write('  Nothing can be mounted here: some tests of file systems are left out.\n')
  rmdirSync(path)
  return may
}
