import type { PutObjectCommandInput } from '@aws-sdk/client-s3'
import { findUnknownKey } from '../../validation/check-options.js'
import { describeValue } from '../../validation/describe-value.js'

/** All settings that a file can have, whichever way it is written. */
const SETTINGS = {
  ACL: true,
  BucketKeyEnabled: true,
  CacheControl: true,
  ContentDisposition: true,
  ContentEncoding: true,
  ContentLanguage: true,
  ContentType: true,
  Expires: true,
  GrantFullControl: true,
  GrantRead: true,
  GrantReadACP: true,
  GrantWriteACP: true,
  Metadata: true,
  ObjectLockLegalHoldStatus: true,
  ObjectLockMode: true,
  ObjectLockRetainUntilDate: true,
  SSEKMSEncryptionContext: true,
  SSEKMSKeyId: true,
  ServerSideEncryption: true,
  StorageClass: true,
  Tagging: true,
  WebsiteRedirectLocation: true,
} as const satisfies { [Name in keyof PutObjectCommandInput]?: true }

/** Settings of a published file, as `PutObject` takes them. */
export type S3ObjectSettings = Pick<PutObjectCommandInput, keyof typeof SETTINGS>

/** Name of the metadata that marks a published file with the upload it was made from. */
const MARK = 'bits-upload'

/**
 * The settings of an upload's file, with its mark.
 *
 * @throws TypeError when the option `object` returned something else.
 */
export function markedSettings(
  object: (destination: string) => S3ObjectSettings,
  destination: string,
  uploadId: string,
): S3ObjectSettings {
  const settings: unknown = object(destination)
  if (typeof settings !== 'object' || settings === null) {
    throw new TypeError(`S3Storage: object() returned ${describeValue(settings)}: return an object.`)
  }
  const unknown = findUnknownKey(settings, SETTINGS)
  if (unknown !== undefined) {
    const known = Object.keys(SETTINGS).join(', ')
    throw new TypeError(`S3Storage: object() returned the unknown setting ${unknown}: use ${known}.`)
  }
  const { Metadata, ...others }: S3ObjectSettings = settings
  return { ...others, Metadata: { ...Metadata, [MARK]: uploadId } }
}

export const markOf = (metadata: Record<string, string> | undefined): string | undefined => metadata?.[MARK]
