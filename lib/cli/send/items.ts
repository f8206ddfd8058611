import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { asError } from '../../util/errors.js'
import { CliError, EXIT, usageError } from '../output.js'
import { destinationUrl } from './destination.js'

/** A file to send, and its destination. */
export interface Item {
  readonly file: string
  readonly url: URL
  /** The file's name in messages: if it is in a given directory, its path within that. */
  readonly name: string
}

/**
 * Lists the files to send. A directory means all files in it, which keep their paths, including the directory's name.
 *
 * @param warn receives a message for each file that is skipped: links to directories, pipes and the like.
 * @throws CliError when these files cannot be sent to this URL, or a directory cannot be read.
 */
export async function itemsToSend(
  paths: readonly string[],
  destination: string,
  warn: (line: string) => void,
): Promise<Item[]> {
  const [only = ''] = paths
  if (paths.length === 1 && !(await isDirectory(only))) {
    return [{ file: only, url: destinationUrl(destination, [basename(only)]), name: basename(only) }]
  }
  if (!destinationUrl(destination, ['']).pathname.endsWith('/')) {
    throw usageError(
      'to send several files or a directory, use a URL that ends with a slash: http://server/in/.',
    )
  }
  const items: Item[] = []
  for (const path of paths) {
    const top = basename(resolve(path))
    const found = (await isDirectory(path))
      ? await filesBelow(path, [top], warn)
      : [{ file: path, names: [top] }]
    for (const { file, names } of found) {
      items.push({ file, url: destinationUrl(destination, names), name: names.join('/') })
    }
  }
  refuseSameUrl(items)
  return items
}

/** An entry that cannot be inspected counts as a file: opening it will report the problem. */
async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false
}

interface Found {
  readonly file: string
  readonly names: readonly string[]
}

async function filesBelow(
  directory: string,
  names: readonly string[],
  warn: (line: string) => void,
): Promise<Found[]> {
  const found: Found[] = []
  for (const entry of await entriesOf(directory)) {
    const file = join(directory, entry.name)
    const below = [...names, entry.name]
    if (entry.isDirectory()) found.push(...(await filesBelow(file, below, warn)))
    else if (await isFileEntry(entry, file)) found.push({ file, names: below })
    else warn(`warning: ${JSON.stringify(file)} is not a file: skipped.`)
  }
  return found
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries.sort((one, other) => (one.name < other.name ? -1 : 1))
  } catch (cause) {
    throw new CliError(EXIT.failure, `${asError(cause).message}.`, { cause })
  }
}

/** Only links to files are followed: a link to a directory may form a cycle. */
async function isFileEntry(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile()
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

function refuseSameUrl(items: readonly Item[]): void {
  const seen = new Map<string, string>()
  for (const { file, url } of items) {
    const other = seen.get(url.pathname)
    if (other !== undefined)
      throw usageError(`${other} and ${file} would have the same URL: send one of them.`)
    seen.set(url.pathname, file)
  }
}
