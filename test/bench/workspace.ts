import { execFileSync } from 'node:child_process'
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where a benchmark stores its files. */
export interface Workspace {
  readonly path: string
  /** Describes it to the reader of the figures, for example `ext4 with a journal`. */
  readonly fileSystem: string
  remove(): void
}

const IMAGE_BYTES = 4 * 1024 ** 3
/** From `linux/magic.h`. */
const TMPFS_MAGIC = 0x01021994

/**
 * A new ext4 image with a journal if this process can mount one, since creating a file in a used or journal-less one
 * can cost twenty times as much; otherwise memory; otherwise the directory for temporary files.
 *
 * @param directory used instead, if there is one.
 */
export function createWorkspace(directory: string | undefined): Workspace {
  if (directory !== undefined) return workspaceIn(directory, 'the given directory')
  return mountedImage() ?? memoryWorkspace() ?? workspaceIn(tmpdir(), 'the directory for temporary files')
}

function workspaceIn(directory: string, fileSystem: string): Workspace {
  const path = mkdtempSync(join(directory, 'bits-bench-'))
  return { path, fileSystem, remove: () => rmSync(path, { recursive: true, force: true }) }
}

function mountedImage(): Workspace | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const base = mkdtempSync(join(tmpdir(), 'bits-bench-'))
  const image = join(base, 'image')
  const path = join(base, 'mount')
  try {
    mkdirSync(path)
    writeFileSync(image, '')
    // A sparse file, which occupies only as much disk space as the files in it.
    truncateSync(image, IMAGE_BYTES)
    // Inodes for a million files: some scenarios create several for each of 100,000 sessions.
    run('mkfs.ext4', '-q', '-i', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
    run('mount', '-o', 'loop', image, path)
  } catch {
    rmSync(base, { recursive: true, force: true })
    return undefined
  }
  return {
    path,
    fileSystem: 'a fresh ext4 image with a journal',
    remove() {
      run('umount', path)
      rmSync(base, { recursive: true, force: true })
    },
  }
}

/** On tmpfs if available. */
export function memoryWorkspace(): Workspace | undefined {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return statfsSync('/dev/shm').type === TMPFS_MAGIC ? workspaceIn('/dev/shm', 'tmpfs') : undefined
  } catch {
    return undefined
  }
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
