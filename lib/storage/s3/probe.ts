import type { S3Context } from './context.js'
import type { MultipartUpload } from './multipart.js'
import { isPreconditionFailed, isRefused } from './service-error.js'

/** Which requests of the service honor `If-None-Match: *`. */
export interface Conditions {
  readonly put: boolean
  readonly copy: boolean
  readonly complete: boolean
}

/**
 * Tests whether the service honors conditional writes, by trying to overwrite an object: some services refuse the
 * condition, and others ignore it and overwrite.
 *
 * @throws when the bucket cannot be used at all.
 */
export async function probeConditions({ bucket, multipart, keys }: S3Context): Promise<Conditions> {
  const key = keys.newProbe()
  await bucket.put(key, Buffer.from('probe'))
  try {
    const put = await isHonoured(() => bucket.put(key, Buffer.from('probe'), { onlyIfNew: true }))
    const copy = await isHonoured(() => bucket.copy(key, key, { onlyIfNew: true }))
    const upload = await multipart.create(key)
    const complete = await isHonoured(() => completeOver(upload))
    if (complete !== 'ignored') await multipart.abort(upload)
    return { put: put === 'honoured', copy: copy === 'honoured', complete: complete === 'honoured' }
  } finally {
    await bucket.delete(key)
  }

  async function completeOver(upload: MultipartUpload): Promise<void> {
    const part = await multipart.uploadPart(upload, 1, Buffer.from('probe'))
    await multipart.complete(upload, [part], { onlyIfNew: true })
  }
}

async function isHonoured(write: () => Promise<void>): Promise<'honoured' | 'refused' | 'ignored'> {
  try {
    await write()
    return 'ignored'
  } catch (error) {
    if (isPreconditionFailed(error)) return 'honoured'
    if (isRefused(error)) return 'refused'
    throw error
  }
}
