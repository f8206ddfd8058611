import type { StagedUpload, StoredFile } from '../../../types/storage.js'
import { BitsError } from '../../protocol/bits-error.js'
import { assemble, reduceParts } from './assemble.js'
import type { ObjectFacts } from './bucket.js'
import type { S3Context } from './context.js'
import type { Piece } from './cover.js'
import type { StartedMultipart } from './early-copies.js'
import type { S3ObjectSettings } from './object-settings.js'
import { type Part, planEqualParts, planParts } from './plan-parts.js'
import type { Conditions } from './probe.js'
import { isConflict, isPreconditionFailed } from './service-error.js'
import { abortNoted } from './staging.js'

/** A publication. */
export interface S3Publication {
  readonly upload: StagedUpload
  /** Bytes of the file. */
  readonly total: number
  /** The file's key. */
  readonly key: string
  readonly settings: S3ObjectSettings
  readonly overwrite: boolean
  readonly conditions: Conditions
  /** A multipart upload that has some of the file's parts. */
  readonly started?: StartedMultipart | undefined
  /** Keeps publications to one key from overlapping if the service has no conditional writes. */
  readonly exclusive: <T>(key: string, work: () => Promise<T>) => Promise<T>
}

/** What is at a key: the file of this upload, another one, or nothing. */
interface FoundObjects {
  readonly own?: ObjectFacts
  readonly other?: ObjectFacts | undefined
}

/** Size in bytes of the parts that pass through this process, all equal, as some services require. */
const EQUAL_PART_SIZE = 8 * 1024 * 1024

/** Assembles segments that cover the whole file at its key. */
export async function publishSegments(
  context: S3Context,
  publication: S3Publication,
  pieces: readonly Piece[],
  notes: readonly string[],
): Promise<StoredFile> {
  const { key, conditions, exclusive } = publication
  const isConditional = conditions[requestFor(pieces)]
  const work = async () => {
    const { bucket, multipart } = context
    const { own, other } = await findOwn(context, publication)
    if (own) return storedFile(context, publication, own)
    if (other && !publication.overwrite) throw taken(publication)
    for (const note of notes) {
      if (note !== publication.started?.noted.note) await abortNoted(bucket, multipart, note)
    }
    const onlyIfNew = isConditional && !publication.overwrite
    await writeObject(context, publication, pieces, onlyIfNew).catch((error) =>
      explainFailure(context, publication, error),
    )
    return confirm(context, publication)
  }
  return isConditional ? work() : exclusive(key, work)
}

/** The file was published before: the process died before it could record that. */
export async function findPublished(
  context: S3Context,
  publication: S3Publication,
): Promise<StoredFile | undefined> {
  const { own } = await findOwn(context, publication)
  return own && storedFile(context, publication, own)
}

/**
 * Writes the file. A process that resumes too late finds that its segments or its multipart upload no longer exist.
 * Only an empty file has no staged data that could be missing.
 */
async function writeObject(
  context: S3Context,
  { upload, total, key, settings, started }: S3Publication,
  pieces: readonly Piece[],
  onlyIfNew: boolean,
): Promise<void> {
  const { bucket, limits } = context
  const [first] = pieces
  if (!first) return bucket.put(key, Buffer.alloc(0), { settings, onlyIfNew })
  if (pieces.length === 1) return bucket.copy(first.segment.key, key, { settings, onlyIfNew, size: total })
  const parts = plan(context, pieces, total)
  const fitting = parts.length > limits.maxParts ? await reduceParts(context, upload.uploadId, parts) : parts
  await assemble(context, upload.uploadId, fitting, key, { settings, onlyIfNew, started })
}

/** The request that creates the file, which can have a condition. */
const requestFor = ({ length }: readonly Piece[]): keyof Conditions =>
  length === 0 ? 'put' : length === 1 ? 'copy' : 'complete'

function plan({ assemble, limits }: S3Context, pieces: readonly Piece[], total: number): Part[] {
  if (assemble === 'copy') return planParts(pieces, limits.minPartSize)
  return planEqualParts(pieces, Math.max(EQUAL_PART_SIZE, Math.ceil(total / limits.maxParts)))
}

/**
 * Explains why a file could not be written. The response may only have been lost, or the SDK may have sent the request
 * twice: the file itself shows which.
 */
async function explainFailure(context: S3Context, publication: S3Publication, error: unknown): Promise<void> {
  const { own, other } = await findOwn(context, publication)
  if (own) return
  const isTaken = other && !publication.overwrite && (isPreconditionFailed(error) || isConflict(error))
  throw isTaken ? taken(publication) : error
}

/** Nothing is acknowledged that is not visible at its destination. */
async function confirm(context: S3Context, publication: S3Publication): Promise<StoredFile> {
  const { total, overwrite, upload, key } = publication
  const { own, other } = await findOwn(context, publication)
  if (own) return storedFile(context, publication, own)
  if (other && other.mark !== upload.uploadId) {
    if (!overwrite) throw taken(publication)
    // Another upload has replaced it since, which is allowed.
    return storedFile(context, publication, undefined)
  }
  const found = other ? `has ${other.size} bytes` : 'does not exist'
  throw new Error(`S3Storage: "${key}" was published with ${total} bytes, and ${found}.`)
}

/** The file at the key, if this upload was published there. */
async function findOwn(context: S3Context, publication: S3Publication): Promise<FoundObjects> {
  const there = await context.bucket.head(publication.key)
  const isOwn = there?.mark === publication.upload.uploadId && there.size === publication.total
  return isOwn ? { own: there } : { other: there }
}

function storedFile(
  { bucket }: S3Context,
  { upload, total, key }: S3Publication,
  facts: ObjectFacts | undefined,
): StoredFile {
  const details = {
    bucket: bucket.name,
    key,
    ...(facts?.etag !== undefined && { etag: facts.etag }),
    ...(facts?.versionId !== undefined && { versionId: facts.versionId }),
  }
  return { destination: upload.destination, size: total, details }
}

const taken = ({ upload }: S3Publication): BitsError =>
  new BitsError('destination-taken', `There is already a file at "${upload.destination}".`)
