import type { S3ClientConfig } from '@aws-sdk/client-s3'
import type { StorageAdapter } from 'express-bits-upload'
import { asError } from '../../../util/errors.js'
import { defined } from '../../../util/objects.js'
import { namingFlag } from '../../option-flags.js'
import { CliError, EXIT, usageError } from '../../output.js'
import type { ServeFlags } from '../flags.js'
import { loadPeer } from './load-peer.js'

export type S3Flags = Pick<ServeFlags, 's3Prefix' | 's3Region' | 's3Endpoint' | 's3PathStyle' | 's3Assemble'>

/** Uploads in a bucket. */
export interface S3Objects {
  readonly storage: StorageAdapter
  /** For people to read. */
  readonly location: string
  /** @throws CliError when the bucket cannot be used. */
  open(): Promise<void>
  close(): void
}

const S3_FLAGS = { bucket: '--s3-bucket', stagingPrefix: '--s3-prefix' }

/** As in a directory, unfinished uploads are in a folder beside the files. */
const STAGING_PREFIX = 'BITS-Sessions/'

/** Requests at a time: each upload and each publication has some. The SDK's own limit is 50. */
const MAX_SOCKETS = 200

/**
 * @param exclusive a lock that all servers share.
 * @throws CliError when a flag is wrong, or the SDK is missing.
 */
export async function s3Objects(
  bucket: string,
  flags: S3Flags,
  exclusive: (<T>(key: string, work: () => Promise<T>) => Promise<T>) | undefined,
): Promise<S3Objects> {
  const prefix = folderOf(flags.s3Prefix)
  const config = clientConfig(flags)
  const { S3Client } = await loadPeer(
    { name: '@aws-sdk/client-s3', range: '3', flag: '--s3-bucket' },
    () => import('@aws-sdk/client-s3'),
  )
  const { S3Storage } = await import('express-bits-upload/s3')
  const client = new S3Client(config)
  const location = `s3://${bucket}/${prefix}`
  try {
    const storage = new S3Storage({
      client,
      bucket,
      stagingPrefix: prefix + STAGING_PREFIX,
      key: (destination) => prefix + destination,
      assemble: flags.s3Assemble,
      exclusive,
    })
    return {
      storage,
      location,
      async open() {
        await requireRegion(client.config.region)
        try {
          await storage.open()
        } catch (cause) {
          const reason = asError(cause).message.replace(/\.$/, '')
          throw new CliError(EXIT.failure, `cannot keep uploads in ${location}: ${reason}.`, { cause })
        }
      },
      close: () => client.destroy(),
    }
  } catch (error) {
    throw namingFlag(error, S3_FLAGS)
  }
}

function clientConfig({ s3Region, s3Endpoint, s3PathStyle }: S3Flags): S3ClientConfig {
  if (s3Endpoint !== undefined && !/^https?:$/.test(protocolOf(s3Endpoint)))
    throw usageError(
      `--s3-endpoint is ${JSON.stringify(s3Endpoint)}: use an http: or https: URL, https://s3.example.com for example.`,
    )
  return {
    ...defined({ region: s3Region, endpoint: s3Endpoint, forcePathStyle: s3PathStyle }),
    // Services other than AWS do not understand the SDK's own checksums. S3Storage sends one that all of them check.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { httpAgent: { maxSockets: MAX_SOCKETS }, httpsAgent: { maxSockets: MAX_SOCKETS } },
  }
}

const protocolOf = (url: string): string => (URL.canParse(url) ? new URL(url).protocol : '')

/** A prefix with a slash at its end. */
function folderOf(prefix: string | undefined): string {
  if (prefix === undefined) return ''
  const folder = prefix.replace(/\/?$/, '/')
  // As `stagingPrefix` of S3Storage, less its folder.
  if (/^[\w!.'()-][\w!.'()/-]{0,380}\/$/.test(folder) && !folder.includes('//')) return folder
  throw usageError(
    `--s3-prefix is ${JSON.stringify(prefix)}: use a folder of letters, digits and !-_.'()/, inbox/2026 for example.`,
  )
}

async function requireRegion(region: () => Promise<string>): Promise<void> {
  try {
    await region()
  } catch (cause) {
    throw new CliError(
      EXIT.usage,
      `the region of the bucket is unknown: use --s3-region, or AWS_REGION in the environment.`,
      { cause },
    )
  }
}
