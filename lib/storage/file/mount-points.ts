import { basename, dirname } from 'node:path'
import type { FileSystem } from '../../util/fs.js'

/**
 * The names in a directory at which another file system is mounted. It may belong to a server that does not respond, so
 * even looking at them may take forever.
 *
 * @returns `undefined` when that is unknown, as on systems other than Linux.
 */
export async function mountPointsIn(
  directory: string,
  fs: Pick<FileSystem, 'readFile' | 'realpath'>,
): Promise<ReadonlySet<string> | undefined> {
  if (process.platform !== 'linux') return undefined
  const lines = await fs.readFile('/proc/self/mountinfo', 'utf8').catch(() => undefined)
  const resolved = await fs.realpath(directory).catch(() => undefined)
  if (lines === undefined || resolved === undefined) return undefined
  const paths = lines.split('\n').map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
  return new Set(paths.filter((path) => dirname(path) === resolved).map((path) => basename(path)))
}

/** Spaces, tabs, line feeds and backslashes of a path are written as three octal digits of each byte. */
const unescapeOctal = (path: string): string =>
  path.replaceAll(/\\([0-7]{3})/g, (_match, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
