import type { StagedUpload, StoredFile } from '../../../types/storage.js'
import { BitsError } from '../../protocol/bits-error.js'
import { assemble, joinPieces, reduceParts } from './assemble.js'
import type { ObjectFacts } from './bucket.js'
import type { S3Context } from './context.js'
import type { Piece } from './cover.js'
import type { S3ObjectSettings } from './object-settings.js'
import { type Part, planEqualParts, planParts } from './plan-parts.js'
import type { Conditions } from './probe.js'
import { isConflict, isPreconditionFailed } from './service-error.js'
import { abortNoted } from './staging.js'

/** A publication. */
export interface Publication {
  readonly upload: StagedUpload
  /** Bytes of the file. */
  readonly total: number
  /** The file's key. */
  readonly key: string
  readonly settings: S3ObjectSettings
  readonly overwrite: boolean
  readonly conditions: Conditions
  /** Keeps publications to one key from overlapping, where the service has no condition for it. */
  readonly exclusive: <T>(key: string, work: () => Promise<T>) => Promise<T>
}

/** What is at a key: the file of this upload, another one, or nothing. */
interface Found {
  readonly own?: ObjectFacts
  readonly other?: ObjectFacts | undefined
}

/** Bytes of the parts that pass through this process, all of one size as some services want it. */
const EQUAL_PART_SIZE = 8 * 1024 * 1024

/** Puts segments that cover the whole file together at its key. */
export async function publishSegments(
  context: S3Context,
  publication: Publication,
  pieces: readonly Piece[],
  notes: readonly string[],
): Promise<StoredFile> {
  const { key, conditions, exclusive } = publication
  const parts = plan(context, pieces, publication.total)
  const isOneCopy = parts.length <= 1
  const isConditional = isOneCopy ? conditions.copy : conditions.complete
  const work = async () => {
    const { bucket, multipart } = context
    const { own, other } = await findOwn(context, publication)
    if (own) return storedFile(context, publication, own)
    if (other && !publication.overwrite) throw taken(publication)
    for (const note of notes) await abortNoted(bucket, multipart, note)
    const onlyIfNew = isConditional && !publication.overwrite
    if (isOneCopy) await copyWhole(context, publication, pieces, onlyIfNew)
    else await assembleParts(context, publication, parts, onlyIfNew)
    return confirm(context, publication)
  }
  return isConditional ? work() : exclusive(key, work)
}

/** A file that was published before: the process died before it could note that. */
export async function findPublished(
  context: S3Context,
  publication: Publication,
): Promise<StoredFile | undefined> {
  const { own } = await findOwn(context, publication)
  return own && storedFile(context, publication, own)
}

function plan({ assemble, limits }: S3Context, pieces: readonly Piece[], total: number): Part[] {
  if (pieces.length <= 1) return planParts(pieces, limits.minPartSize)
  if (assemble === 'copy') return planParts(pieces, limits.minPartSize)
  return planEqualParts(pieces, Math.max(EQUAL_PART_SIZE, Math.ceil(total / limits.maxParts)))
}

/**
 * The file is a copy of one segment, which is made first where there is none. A plain `PutObject` of its bytes would
 * cost less, but a process that sleeps and wakes could make it over a newer file; a copy fails then, as its source went
 * with the session.
 */
async function copyWhole(
  context: S3Context,
  publication: Publication,
  pieces: readonly Piece[],
  onlyIfNew: boolean,
): Promise<void> {
  const { upload, total, key, settings } = publication
  const [piece] = pieces
  const segment =
    piece && pieces.length === 1 ? piece.segment : await joinPieces(context, upload.uploadId, pieces)
  await finish(context, publication, () =>
    context.bucket.copy(segment.key, key, settings, { onlyIfNew, size: total }),
  )
}

async function assembleParts(
  context: S3Context,
  publication: Publication,
  parts: readonly Part[],
  onlyIfNew: boolean,
): Promise<void> {
  const { upload, key, settings } = publication
  const fitting =
    parts.length > context.limits.maxParts ? await reduceParts(context, upload.uploadId, parts) : parts
  await assemble(context, upload.uploadId, fitting, {
    key,
    settings,
    onlyIfNew,
    finish: (request) => finish(context, publication, request),
  })
}

/**
 * Runs the request after which the file is there. When it fails, the answer may have been lost, or the SDK may have sent
 * it twice: the file itself tells.
 */
async function finish(
  context: S3Context,
  publication: Publication,
  request: () => Promise<void>,
): Promise<void> {
  try {
    await request()
  } catch (error) {
    const { own, other } = await findOwn(context, publication)
    if (own) return
    const isTaken = other && !publication.overwrite && (isPreconditionFailed(error) || isConflict(error))
    throw isTaken ? taken(publication) : error
  }
}

/** Nothing is acknowledged that cannot be seen at its destination. */
async function confirm(context: S3Context, publication: Publication): Promise<StoredFile> {
  const { total, overwrite, upload, key } = publication
  const { own, other } = await findOwn(context, publication)
  if (own) return storedFile(context, publication, own)
  if (other && other.mark !== upload.uploadId) {
    if (!overwrite) throw taken(publication)
    // Another upload has replaced it since, as it may.
    return storedFile(context, publication, undefined)
  }
  const found = other ? `has ${other.size} bytes` : 'is not there'
  throw new Error(`S3Storage: "${key}" was published with ${total} bytes, and ${found}.`)
}

/** The file at the key, if this upload was published there. */
async function findOwn(context: S3Context, publication: Publication): Promise<Found> {
  const there = await context.bucket.head(publication.key)
  const isOwn = there?.mark === publication.upload.uploadId && there.size === publication.total
  return isOwn ? { own: there } : { other: there }
}

function storedFile(
  { bucket }: S3Context,
  { upload, total, key }: Publication,
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

const taken = ({ upload }: Publication): BitsError =>
  new BitsError('destination-taken', `There is a file at "${upload.destination}" by now.`)
