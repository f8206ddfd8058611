import { addAbortSignal } from 'node:stream'
import type { FileDigest } from '../../types/digest.js'
import type { SessionRecord } from '../../types/session.js'
import type { Emit } from '../events.js'
import { BitsError } from '../protocol/bits-error.js'
import { parseReprDigest } from '../protocol/parse-repr-digest.js'
import { formatReprDigest } from '../protocol/repr-digest.js'
import { discardRemains } from '../sessions/discard-remains.js'
import { uploadOf } from '../sessions/sessions.js'
import type { CompletedRequest, DeliveryContext } from './completed-upload.js'
import { algorithmsFor } from './file-digest-of.js'
import { FileHash } from './file-hash.js'
import type { UploadHashes } from './upload-hashes.js'

/** Dependencies of {@link computeDigest}. */
export interface DigestContext extends DeliveryContext {
  readonly hashes: UploadHashes
  readonly emit: Emit
}

/**
 * Computes the checksums of a complete upload, compares them with those that its client expects, and records them. In
 * the record they outlive the staged bytes, which a publication may remove before its success is recorded.
 *
 * @returns the session with its checksums; the same session when none are needed.
 * @throws BitsError `digest-mismatch`; the upload is then cancelled, because its bytes would never match.
 */
export async function computeDigest(
  completed: CompletedRequest,
  context: DigestContext,
): Promise<SessionRecord> {
  const { record } = completed
  const algorithms = algorithmsFor(record, context.settings)
  const isDone = record.digest !== undefined || record.copyToDestination !== undefined || record.refused
  if (algorithms.length === 0 || isDone) return record
  const digests = await hashed(completed, algorithms, context)
  // Another process may have taken over the upload by now.
  completed.lost.throwIfAborted()
  const wrong = parseReprDigest(record.expectedDigest ?? '').find(
    (expected) => !digests.some((digest) => isEqual(digest, expected)),
  )
  if (wrong) return refuseMismatch(record, wrong, context)
  return context.sessions.change(record.uploadId, {
    digest: formatReprDigest(digests),
    total: record.total,
  })
}

/** From the hash of this process if it covers all bytes; otherwise they are read again. */
async function hashed(
  { record, lost }: CompletedRequest,
  algorithms: readonly FileDigest['algorithm'][],
  { storage, hashes }: DigestContext,
): Promise<FileDigest[]> {
  const { uploadId, total = 0 } = record
  const known = hashes.get(uploadId)
  if (known?.length === total && known.hasAll(algorithms)) return known.digests()
  const hash = new FileHash(algorithms)
  if (total > 0) {
    for await (const chunk of addAbortSignal(lost, storage.read(uploadOf(record)))) hash.update(chunk)
  }
  if (hash.length !== total) {
    throw new Error(`The storage read ${hash.length} bytes of an upload that has ${total}.`)
  }
  // For the next attempt, if this delivery fails.
  hashes.keep(uploadId, hash)
  return hash.digests()
}

const isEqual = (one: FileDigest, other: FileDigest): boolean =>
  one.algorithm === other.algorithm && one.value === other.value

async function refuseMismatch(
  record: SessionRecord,
  { algorithm, value }: FileDigest,
  context: DigestContext,
): Promise<never> {
  const { sessions, hashes, emit } = context
  const { uploadId, destination, total = 0 } = record
  // The record first: a store with locks refuses a change by a process that has lost its lock.
  const ended = await sessions.end(uploadId, 'cancelled')
  hashes.forget(uploadId)
  await discardRemains(record, context)
  emit('cancelled', sessions.info(ended, total))
  throw new BitsError(
    'digest-mismatch',
    `The bytes of "${destination}" do not have the ${algorithm} that the client sent, ${value}.`,
  )
}
