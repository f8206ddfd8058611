import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

/** File names that differ only in case are one name by default. */
const IGNORES_CASE: ReadonlySet<NodeJS.Platform> = new Set(['win32', 'darwin'])

/**
 * The directories from the root to `path`, each by its identity on the disk: links, mounts and other spellings of a name
 * make no difference. Those that do not exist yet, or cannot be looked up, are known by their names.
 */
export async function diskPathOf(path: string, platform = process.platform): Promise<string[]> {
  const identities: string[] = []
  let parent = ''
  for (const directory of fromRoot(await withoutLinks(resolve(path)))) {
    const name = basename(directory)
    const named = `${parent}/${IGNORES_CASE.has(platform) ? name.toLowerCase() : name}`
    parent = (await identityOf(directory)) ?? named
    identities.push(parent)
  }
  return identities
}

/** Whether one of two directories is the other, or inside it. */
export function shareDisk(one: readonly string[], other: readonly string[]): boolean {
  return contains(one, other.at(-1)) || contains(other, one.at(-1))
}

const contains = (path: readonly string[], identity: string | undefined): boolean =>
  identity !== undefined && path.includes(identity)

function fromRoot(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [path] : [...fromRoot(parent), path]
}

/** Resolves the links in the part of a path that exists. */
async function withoutLinks(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await withoutLinks(parent), basename(path))
  }
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    // Numbers lose digits of the ids that Windows gives.
    const { dev, ino } = await stat(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}
