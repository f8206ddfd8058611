import { ignoreNotFound } from '../util/errors.js'
import type { FileSystem } from '../util/fs.js'

/**
 * Identifies the directory that a path leads to now. Another one may take its place: a volume that is mounted over it,
 * one of the same name after it was removed, or the new target of a symbolic link.
 *
 * @returns `undefined` when there is none.
 */
export async function directoryIdentity(path: string, fs: FileSystem): Promise<string | undefined> {
  const facts = await fs.stat(path).catch(ignoreNotFound)
  return facts && `${facts.dev}:${facts.ino}`
}
