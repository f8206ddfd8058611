import { type HashAlgorithm, hashBody } from './body-hash.js'
import type { S3Context } from './context.js'
import { isRefused } from './service-error.js'

/**
 * Tests whether the service verifies the SHA-256 in a signature, with a body that has another one. Every service should,
 * but evidence must not depend on it: `Content-MD5` is used unless the service refuses the body.
 */
export async function probeHash({ bucket, keys }: S3Context): Promise<HashAlgorithm> {
  const key = keys.newProbe()
  try {
    await bucket.put(key, Buffer.from('probe'), { hash: hashBody('sha256', Buffer.from('other')) })
  } catch (error) {
    if (isRefused(error)) return 'sha256'
  }
  await bucket.delete(key)
  return 'md5'
}
