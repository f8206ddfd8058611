import { createCipheriv } from 'node:crypto'
import { Readable } from 'node:stream'
import type { StagedUpload } from 'express-bits-upload'
import { S3Storage, type S3StorageOptions } from 'express-bits-upload/s3'
import { S3_LIMITS } from '../../../lib/storage/s3/plan-parts.js'
import { BUCKET, FakeS3 } from '../../support/fake-s3/fake-s3.js'
import type { Rules } from '../../support/fake-s3/rules.js'

export const MIB = 1024 * 1024
export const never = new AbortController().signal

/** Runs a test with a separate service. */
export async function withS3(rules: Partial<Rules>, use: (s3: FakeS3) => Promise<void>): Promise<void> {
  const s3 = await FakeS3.start(rules)
  try {
    await use(s3)
  } finally {
    await s3.close()
  }
}

/** A storage with a separate client, whose limits are those of the service. It is not open. */
export function storageOn(
  s3: FakeS3,
  options: Partial<S3StorageOptions> & { name?: string; maxAttempts?: number } = {},
): S3Storage {
  const { name, maxAttempts, ...others } = options
  const client = s3.client(name, maxAttempts === undefined ? {} : { maxAttempts })
  const { minPartSize, maxParts } = s3.rules
  const limits = { ...S3_LIMITS, minPartSize, maxParts }
  return new S3Storage({ client, bucket: BUCKET, exclusive: (_, work) => work(), ...others }, { limits })
}

export async function openStorage(...given: Parameters<typeof storageOn>): Promise<S3Storage> {
  const storage = storageOn(...given)
  await storage.open()
  return storage
}

export const uploadTo = (destination: string, total?: number, id = 1): StagedUpload => ({
  uploadId: id.toString(16).padStart(32, '0'),
  destination,
  total,
})

/** Sends a file as a client and the middleware do: in fragments, starting at the received length. */
export async function send(
  storage: S3Storage,
  upload: StagedUpload,
  content: Buffer,
  fragmentSize: number,
): Promise<void> {
  for (let offset = await storage.received(upload, 0); offset < content.length; ) {
    const body = Readable.from([content.subarray(offset, offset + fragmentSize)])
    const end = await storage.append(upload, offset, body, never)
    offset = await storage.received(upload, end)
  }
}

/** The staged objects, except probes. */
export const stagedKeys = (s3: FakeS3): string[] =>
  s3.objects.keys.filter((key) => key.startsWith('BITS-Sessions/'))

/** Bytes without a pattern, the same at each call. */
export function sample(length: number): Buffer {
  if (longest.length < length) {
    longest = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(length))
  }
  return Buffer.from(longest.subarray(0, length))
}

let longest = Buffer.alloc(0)
