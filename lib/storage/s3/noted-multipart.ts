import type { S3Context } from './context.js'
import type { MultipartUpload } from './multipart.js'
import type { S3ObjectSettings } from './object-settings.js'
import { noteOf } from './staging.js'

/**
 * Runs `work`, which writes and completes a multipart upload. The note is written before anything else, so that a
 * process that takes over the upload can abort it. If `work` fails, the multipart upload is aborted.
 */
export async function withMultipart<Result>(
  { bucket, multipart, keys }: S3Context,
  uploadId: string,
  key: string,
  settings: S3ObjectSettings,
  work: (upload: MultipartUpload) => Promise<Result>,
): Promise<Result> {
  const upload = await multipart.create(key, settings)
  const note = keys.newNote(uploadId)
  let result: Result
  try {
    await bucket.put(note, noteOf(upload))
    result = await work(upload)
  } catch (error) {
    await multipart
      .abort(upload)
      .then(() => bucket.delete(note))
      .catch(keepNote)
    throw error
  }
  await bucket.delete(note).catch(keepNote)
  return result
}

/** A remaining note is handled when the upload is published again or discarded. */
const keepNote = (): void => {}
