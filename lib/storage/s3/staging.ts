import type { Bucket } from './bucket.js'
import { isNote, parseSegment, type Segment, type StagingKeys } from './keys.js'
import type { MultipartRequests, MultipartUpload } from './multipart.js'
import { readText } from './read-object.js'

/** What is staged for an upload. */
export interface StagedObjects {
  readonly segments: readonly Segment[]
  /** Names of the notes of multipart uploads. */
  readonly notes: readonly string[]
}

/** Lists what is staged for an upload, except the reply. */
export async function listStaged(
  bucket: Bucket,
  keys: StagingKeys,
  uploadId: string,
): Promise<StagedObjects> {
  const segments: Segment[] = []
  const notes: string[] = []
  for await (const { key } of bucket.list(keys.uploadPrefix(uploadId))) {
    const segment = parseSegment(key)
    if (segment) segments.push(segment)
    else if (isNote(key)) notes.push(key)
  }
  return { segments, notes }
}

/** The text of a note: which multipart upload has to be aborted if its process dies. */
export const noteOf = ({ key, id }: MultipartUpload): Buffer =>
  Buffer.from(JSON.stringify({ Key: key, UploadId: id }))

/**
 * Aborts the multipart upload that a note names, and deletes the note. The process that began it may only be suspended:
 * once aborted, it cannot complete the upload.
 */
export async function abortNoted(bucket: Bucket, multipart: MultipartRequests, note: string): Promise<void> {
  const text = await readText(bucket, note)
  if (text === undefined) return
  const upload = parseNote(text)
  if (upload) await multipart.abort(upload)
  await bucket.delete(note)
}

function parseNote(text: string): MultipartUpload | undefined {
  let note: unknown
  try {
    note = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof note !== 'object' || note === null) return undefined
  const key: unknown = Reflect.get(note, 'Key')
  const id: unknown = Reflect.get(note, 'UploadId')
  return typeof key === 'string' && typeof id === 'string' ? { key, id } : undefined
}
