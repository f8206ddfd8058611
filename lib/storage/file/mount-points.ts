import { dirname } from 'node:path'
import type { FileSystem } from '../../util/fs.js'

/**
 * Tells whether another file system is mounted at a name in the directory. It may belong to a server that does not
 * respond, so even looking at that name may take forever.
 *
 * @returns true if that is unknown, as on systems other than Linux.
 */
export async function hasMountPoints(
  directory: string,
  fs: Pick<FileSystem, 'readFile' | 'realpath'>,
): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const lines = await fs.readFile('/proc/self/mountinfo', 'utf8').catch(() => undefined)
  const resolved = await fs.realpath(directory).catch(() => undefined)
  if (lines === undefined || resolved === undefined) return true
  return lines.split('\n').some((line) => dirname(unescapeOctal(line.split(' ')[4] ?? '')) === resolved)
}

/** Spaces, tabs, line feeds and backslashes of a path are written as three octal digits of each byte. */
const unescapeOctal = (path: string): string =>
  path.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
