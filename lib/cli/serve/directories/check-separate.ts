import { usageError } from '../../output.js'
import { livePathOf } from '../app-paths.js'
import type { ServeFlags } from '../flags.js'
import { healthPathOf, metricsPathOf } from '../monitoring.js'
import type { ConfiguredDirectory } from './configured-directory.js'
import { diskPathOf, shareDisk } from './disk-path.js'

/**
 * Checks that no directory has anything in common with another: neither URLs, nor files, nor sessions.
 *
 * @param flags of the server as a whole.
 * @throws CliError that names both.
 */
export async function checkSeparate(
  directories: readonly ConfiguredDirectory[],
  flags: ServeFlags,
): Promise<void> {
  for (const directory of directories) checkPages(directory, flags)
  const checked: LocatedDirectory[] = []
  for (const directory of directories) {
    const one = { directory, disk: await diskOf(directory, directories.length) }
    for (const other of checked) {
      checkUrls(other.directory, directory)
      checkDisk(other, one)
      checkBuckets(other.directory, directory)
      checkRedis(other.directory, directory)
    }
    checked.push(one)
  }
}

interface LocatedDirectory {
  readonly directory: ConfiguredDirectory
  /** As {@link diskPathOf}; absent when it is not on a disk, or is the only directory. */
  readonly disk: readonly string[] | undefined
}

const diskOf = async ({ stores }: ConfiguredDirectory, count: number): Promise<string[] | undefined> =>
  count === 1 || stores.directory === undefined ? undefined : diskPathOf(stores.directory)

/** Express takes `/a` and `/A` for the same path. */
const urlSegments = (path: string): string[] => path.toLowerCase().split('/').filter(Boolean)

/** Whether `inner` is `outer` itself or below it. */
const isAtOrBelow = (inner: readonly string[], outer: readonly string[]): boolean =>
  outer.every((segment, index) => segment === inner[index])

const isAboveOrBelow = (one: readonly string[], other: readonly string[]): boolean =>
  isAtOrBelow(one, other) || isAtOrBelow(other, one)

/** A page may be below a directory, where it hides a file of that name, but must not hide a directory. */
function checkPages({ label, flags: { path } }: ConfiguredDirectory, flags: ServeFlags): void {
  const pages = {
    '--live': livePathOf(flags),
    '--metrics': metricsPathOf(flags),
    '--health': healthPathOf(flags),
  }
  for (const [flag, page] of Object.entries(pages)) {
    if (page === undefined || page === '/' || !isAtOrBelow(urlSegments(path), urlSegments(page))) continue
    const start = label === undefined ? '' : `${label}: `
    throw usageError(
      `${start}the page of ${flag} is at ${page}, and uploads are at ${path}: move one of them.`,
    )
  }
}

function checkUrls(one: ConfiguredDirectory, other: ConfiguredDirectory): void {
  const [path, otherPath] = [one.flags.path, other.flags.path]
  const [segments, others] = [urlSegments(path), urlSegments(otherPath)]
  if (!isAboveOrBelow(segments, others)) return
  throw segments.length === others.length
    ? conflict(one, other, 'have the same "path": give each its own.')
    : conflict(one, other, 'are nested: neither "path" may be below the other.')
}

function checkDisk(one: LocatedDirectory, other: LocatedDirectory): void {
  if (!one.disk || !other.disk || !shareDisk(one.disk, other.disk)) return
  const [path, otherPath] = [one.directory.stores.location, other.directory.stores.location]
  throw conflict(
    one.directory,
    other.directory,
    path === otherPath
      ? `have the same directory, ${path}: give each its own.`
      : `have directories that are the same or inside one another, ${path} and ${otherPath}: give each its own.`,
  )
}

function checkBuckets(one: ConfiguredDirectory, other: ConfiguredDirectory): void {
  const [place, otherPlace] = [bucketPath(one), bucketPath(other)]
  if (!place || !otherPlace || !isAboveOrBelow(place, otherPlace)) return
  const both = `${one.stores.location} and ${other.stores.location}`
  throw conflict(one, other, `share a folder of a bucket, ${both}: give each its own "s3-prefix".`)
}

/** Keys in S3 are case-sensitive. */
function bucketPath({ stores, flags }: ConfiguredDirectory): string[] | undefined {
  if (flags.s3Bucket === undefined) return undefined
  return [flags.s3Endpoint ?? '', ...stores.location.split('/').filter(Boolean)]
}

function checkRedis(one: ConfiguredDirectory, other: ConfiguredDirectory): void {
  const [prefix, otherPrefix] = [redisPrefix(one), redisPrefix(other)]
  // The URLs are not compared: one server may have several names.
  if (prefix === undefined || prefix !== otherPrefix) return
  throw conflict(one, other, `have the same prefix in Redis, ${prefix}: give each its own "redis-prefix".`)
}

const redisPrefix = ({ flags }: ConfiguredDirectory): string | undefined =>
  flags.redis === undefined ? undefined : (flags.redisPrefix ?? DEFAULT_REDIS_PREFIX)

/** Of `RedisSessionStore`. */
const DEFAULT_REDIS_PREFIX = 'bits'

const conflict = (one: ConfiguredDirectory, other: ConfiguredDirectory, problem: string): Error =>
  usageError(`${one.label} and ${other.label?.replace(/^.*: /, '')} ${problem}`)
