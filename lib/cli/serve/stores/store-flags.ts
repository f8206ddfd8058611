import { usageError } from '../../output.js'
import type { ServeFlags } from '../flags.js'

export type StoreFlags = Pick<
  ServeFlags,
  | 's3Bucket'
  | 's3Prefix'
  | 's3Region'
  | 's3Endpoint'
  | 's3PathStyle'
  | 's3Assemble'
  | 'redis'
  | 'redisPrefix'
  | 'read'
  | 'list'
  | 'shared'
  | 'durability'
  | 'createDirectories'
>

/** @throws CliError when the flags that say where uploads and sessions are kept contradict each other. */
export function checkStoreFlags(directory: string | undefined, flags: StoreFlags): void {
  const { s3Bucket, redis, redisPrefix, shared } = flags
  if (s3Bucket === undefined) {
    if (directory === undefined) throw usageError("missing required argument 'directory'")
    if (directory === '')
      throw usageError(
        'the directory has no name (an unset variable?): name one, or . for the current directory.',
      )
    refuse(
      {
        '--s3-prefix': flags.s3Prefix,
        '--s3-region': flags.s3Region,
        '--s3-endpoint': flags.s3Endpoint,
        '--s3-path-style': flags.s3PathStyle,
        '--s3-assemble': flags.s3Assemble,
      },
      (flag) => `${flag} is for uploads in S3: use --s3-bucket, too.`,
    )
  } else {
    if (directory !== undefined)
      throw usageError('uploads go into a directory or into --s3-bucket: use only one of them.')
    if (s3Bucket === '') throw usageError('--s3-bucket has no name (an unset variable?): name one.')
    refuseFileFlags(flags)
  }
  if (redis === undefined && redisPrefix !== undefined)
    throw usageError('--redis-prefix is for sessions in Redis: use --redis, too.')
  if (redis !== undefined && shared)
    throw usageError('--shared keeps the sessions in the directory, --redis in Redis: use only one of them.')
}

/** What only a directory can do. */
function refuseFileFlags({ read, list, shared, durability, createDirectories }: StoreFlags): void {
  refuse(
    { '--read': read, '--list': list },
    (flag) => `${flag} serves files of a directory: with --s3-bucket, have your users read from the bucket.`,
  )
  refuse(
    { '--shared': shared },
    () => '--shared is for servers that share a directory: with --s3-bucket, use --redis instead.',
  )
  refuse(
    { '--durability': durability },
    () => '--durability is for directories: S3 keeps every acknowledged byte; leave it out.',
  )
  refuse(
    { '--no-create-directories': createDirectories ? undefined : true },
    () => '--no-create-directories is for directories, which S3 does not have: leave it out.',
  )
}

function refuse(flags: Record<string, unknown>, explain: (flag: string) => string): void {
  const [flag] = Object.entries(flags).find(([, value]) => value !== undefined) ?? []
  if (flag !== undefined) throw usageError(explain(flag))
}
