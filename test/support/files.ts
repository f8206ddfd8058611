import { readdirSync, readlinkSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join, relative } from 'node:path'

/**
 * Paths of the files below `directory` that a process has open. The session journal is left out, which is open as long
 * as its store is.
 */
export async function openFiles(directory: string, pid: number | 'self' = 'self'): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  // Synchronous calls take a tenth of the CPU time, and /proc never blocks.
  const targets = readdirSync(folder).map((fd) => targetOf(join(folder, fd)))
  return targets.filter(
    (target) => target.startsWith(`${directory}/`) && !target.endsWith('/sessions.journal'),
  )
}

/** Where a link points; empty if it has disappeared. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

/**
 * Everything below `directory` except `except`, by relative name: `/` for directories, `-> target` for links, otherwise
 * the content.
 */
export async function treeOf(directory: string, except?: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {}
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (path === except || entry.isSocket()) continue
      const name = relative(directory, path)
      if (entry.isDirectory()) {
        tree[name] = '/'
        await visit(path)
      } else {
        tree[name] = entry.isSymbolicLink() ? `-> ${await readlink(path)}` : await readFile(path, 'latin1')
      }
    }
  }
  await visit(directory)
  return tree
}

/**
 * Names of staged data and locks of sessions in an upload directory, without the small records of sessions, and without
 * the lock of a sweep, which any process that shares the directory may be running at this moment.
 */
export async function stagedFiles(directory: string): Promise<string[]> {
  const names = await sessionFiles(directory)
  return names.filter((name) => !/^(?:[0-9a-f]{32}(?:\.ended)?\.json|sweep\.lock)$/.test(name))
}

/** Names in the folder of sessions, except the journal and the socket that reserves the directory for a process. */
export async function sessionFiles(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, 'BITS-Sessions'))
  return names.filter((name) => !/^(?:lease(?:-[0-9a-f]{8})?|sessions\.journal)$/.test(name))
}
