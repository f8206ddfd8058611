import type { S3Client } from '@aws-sdk/client-s3'
import { MIB } from '../../util/bytes.js'
import { type Check, checkEach, type OptionChecks } from '../../validation/check-options.js'
import { isFunction, isInteger, isOneOf, objectWith } from '../../validation/value-checks.js'
import type { S3ObjectSettings } from './object-settings.js'

/** Options of an {@link S3Storage}. `undefined` means the default. */
export interface S3StorageOptions {
  /** A client of `@aws-sdk/client-s3` 3, which you configure and destroy. */
  client: S3Client
  /** The bucket, which must exist. */
  bucket: string
  /** Prefix of unfinished uploads and replies, in the same bucket; ends with a slash. Default: `BITS-Sessions/`. */
  stagingPrefix?: string | undefined
  /** The key of a file, from its destination. Default: the destination itself. */
  key?: ((destination: string) => string) | undefined
  /** Settings of a published file: `ContentType`, `StorageClass`, `ServerSideEncryption` and the like. Default: none. */
  object?: ((destination: string) => S3ObjectSettings) | undefined
  /**
   * Maximum bytes of a fragment in one staged object; a larger fragment becomes several. From 5,242,880 (5 MiB).
   * Default: 16,777,216 (16 MiB).
   */
  segmentSize?: number | undefined
  /**
   * Bytes that all uploads together may hold in memory. From 16,777,216 (16 MiB). Default: 268,435,456 (256 MiB).
   * Beyond that, uploads store smaller objects or wait.
   */
  maxBuffered?: number | undefined
  /** Maximum concurrent requests of one publication. Default: 8. */
  concurrency?: number | undefined
  /**
   * Milliseconds that one request may take, including the client's retries; after that, the packet is answered with
   * 503. When the service copies bytes itself, each 32 MiB adds a second. Default: 60,000.
   */
  timeout?: number | undefined
  /**
   * How a file is assembled: `copy` (default) has the service copy the staged objects; with `stream` their bytes pass
   * through this process, in parts of equal size, for Cloudflare R2 and for services without `UploadPartCopy`.
   */
  assemble?: 'copy' | 'stream' | undefined
  /**
   * A lock that all servers share: runs `work` while nothing else runs for `key`. Needed if several servers share a
   * bucket and the service does not honor `If-None-Match` (a warning says so when the storage is opened). Without it,
   * publications to one key wait for each other only in this process.
   */
  exclusive?: (<T>(key: string, work: () => Promise<T>) => Promise<T>) | undefined
}

const isText: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'a name')

/** Staging keys are compared with what listings return, so they have no characters that services write differently. */
const isStagingPrefix: Check = (value) =>
  typeof value === 'string' && /^[\w!.'()-][\w!.'()/-]{0,399}\/$/.test(value) && !value.includes('//')
    ? undefined
    : "a prefix that ends with a slash, of letters, digits and !-_.'()"

const S3_OPTIONS: OptionChecks<S3StorageOptions> = {
  client: objectWith({ send: true }, 'an S3Client of @aws-sdk/client-s3'),
  bucket: isText,
  stagingPrefix: isStagingPrefix,
  key: isFunction,
  object: isFunction,
  segmentSize: (value) => isInteger(value, 'bytes', 5 * MIB, 1024 * MIB),
  maxBuffered: (value) => isInteger(value, 'bytes', 16 * MIB),
  concurrency: (value) => isInteger(value, 'requests', 1, 1000),
  timeout: (value) => isInteger(value, 'milliseconds', 1, 2 ** 31 - 1),
  assemble: isOneOf({ copy: true, stream: true }),
  exclusive: isFunction,
}

/** {@link S3StorageOptions} with their defaults. */
export type S3Settings = {
  readonly [Name in keyof Omit<S3StorageOptions, 'exclusive'>]-?: NonNullable<S3StorageOptions[Name]>
} & Pick<S3StorageOptions, 'exclusive'>

/** @throws TypeError when an option is invalid. */
export function s3Settings(options: S3StorageOptions): S3Settings {
  checkEach({ name: 'S3Storage', checks: S3_OPTIONS, required: ['client', 'bucket'] }, options)
  return {
    client: options.client,
    bucket: options.bucket,
    stagingPrefix: options.stagingPrefix ?? 'BITS-Sessions/',
    key: options.key ?? ((destination) => destination),
    object: options.object ?? (() => ({})),
    segmentSize: options.segmentSize ?? 16 * MIB,
    maxBuffered: options.maxBuffered ?? 256 * MIB,
    concurrency: options.concurrency ?? 8,
    timeout: options.timeout ?? 60_000,
    assemble: options.assemble ?? 'copy',
    exclusive: options.exclusive,
  }
}
