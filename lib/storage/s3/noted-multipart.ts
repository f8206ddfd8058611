import type { S3Context } from './context.js'
import type { MultipartUpload } from './multipart.js'
import type { S3ObjectSettings } from './object-settings.js'
import { noteOf } from './staging.js'

/** A multipart upload in progress, and the key of its note: a process that takes over the upload can abort it. */
export interface NotedMultipart {
  readonly upload: MultipartUpload
  readonly note: string
}

/** Creates a multipart upload. The note is written before anything else. */
export async function beginMultipart(
  context: S3Context,
  uploadId: string,
  key: string,
  settings: S3ObjectSettings,
): Promise<NotedMultipart> {
  const { bucket, multipart, keys } = context
  const noted = { upload: await multipart.create(key, settings), note: keys.newNote(uploadId) }
  try {
    await bucket.put(noted.note, noteOf(noted.upload))
  } catch (error) {
    await abandonMultipart(context, noted)
    throw error
  }
  return noted
}

/** Runs `work`, which completes the multipart upload. If `work` fails, the multipart upload is aborted. */
export async function endMultipart<Result>(
  context: S3Context,
  noted: NotedMultipart,
  work: (upload: MultipartUpload) => Promise<Result>,
): Promise<Result> {
  let result: Result
  try {
    result = await work(noted.upload)
  } catch (error) {
    await abandonMultipart(context, noted)
    throw error
  }
  await context.bucket.delete(noted.note).catch(keepNote)
  return result
}

/** Never rejects: if the multipart upload cannot be aborted, its note remains. */
export async function abandonMultipart(
  { bucket, multipart }: S3Context,
  { upload, note }: NotedMultipart,
): Promise<void> {
  await multipart
    .abort(upload)
    .then(() => bucket.delete(note))
    .catch(keepNote)
}

/** A remaining note is handled when the upload is published again or discarded. */
const keepNote = (): void => {}
