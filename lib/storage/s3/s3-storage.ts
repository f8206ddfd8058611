import type { Readable } from 'node:stream'
import type {
  ByteRange,
  StagedData,
  StagedUpload,
  StorageAdapter,
  StoredFile,
  StoredReply,
} from '../../../types/storage.js'
import { BitsError } from '../../protocol/bits-error.js'
import { KeyedQueue } from '../../util/keyed-queue.js'
import { mapConcurrently } from '../../util/map-concurrently.js'
import { appendSegments } from './append-segments.js'
import type { BodyHash } from './body-hash.js'
import { rangeOf } from './collect.js'
import { completeCover, readableCover, requireComplete } from './complete-cover.js'
import { createContext, type S3Context } from './context.js'
import { EarlyCopies, type ObjectTarget } from './early-copies.js'
import { fileKey } from './file-key.js'
import { isNote, parseSegment } from './keys.js'
import { mergeSmall } from './merge-small.js'
import { markedSettings } from './object-settings.js'
import { type S3Settings, type S3StorageOptions, s3Settings } from './options.js'
import { type PartLimits, S3_LIMITS } from './plan-parts.js'
import { type Conditions, probeConditions } from './probe.js'
import { probeHash } from './probe-hash.js'
import { findPublished, publishSegments, type S3Publication } from './publish.js'
import { readObject } from './read-object.js'
import { NEWEST_SEGMENTS, RecentSegments } from './recent-segments.js'
import { writeReply } from './reply.js'
import { abortNoted } from './staging.js'
import { streamFrom } from './stream-from.js'

/**
 * Uploads in an S3 bucket, for any number of servers. Each fragment becomes an object that never changes, a segment;
 * the service assembles the segments when the file is complete.
 */
export class S3Storage implements StorageAdapter {
  readonly #settings: S3Settings
  readonly #context: S3Context
  readonly #recent = new RecentSegments()
  readonly #early: EarlyCopies
  readonly #publications = new KeyedQueue()
  #conditions: Conditions | undefined

  /** @throws TypeError when an option is invalid. */
  constructor(options: S3StorageOptions, internals: { limits?: PartLimits } = {}) {
    this.#settings = s3Settings(options)
    this.#context = createContext(this.#settings, internals.limits ?? S3_LIMITS)
    this.#early = new EarlyCopies(this.#context)
  }

  /** Tests once which conditional writes the service honors, and which hash it verifies. */
  async open(): Promise<void> {
    if (this.#conditions) return
    const conditions = await probeConditions(this.#context)
    this.#context.requester.hashAlgorithm = await probeHash(this.#context)
    this.#conditions = conditions
    if (this.#settings.exclusive || Object.values(conditions).every(Boolean)) return
    process.emitWarning(
      `S3Storage: the service of the bucket "${this.#settings.bucket}" does not always honor If-None-Match. ` +
        'If several servers use the bucket, uploads to one name that end at the ' +
        'same time may replace one another, even without overwrite: set the option exclusive.',
      { code: 'BITS_S3_UNCONDITIONAL' },
    )
  }

  async check(): Promise<void> {
    await this.#context.bucket.check()
  }

  async has(destination: string): Promise<boolean> {
    return (await this.#context.bucket.head(this.#keyOf(destination))) !== undefined
  }

  /** Nothing is staged, which saves a listing before the first fragment. */
  begin({ uploadId }: StagedUpload): void {
    this.#recent.remember(uploadId, [])
  }

  async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number> {
    const { bucket, budget, keys, requester } = this.#context
    const { hashAlgorithm } = requester
    const { segmentSize } = this.#settings
    const segments = [...this.#recent.get(upload.uploadId)]
    const isContinued = offset === this.#recent.endOf(upload.uploadId)
    this.#recent.forget(upload.uploadId)
    const put = async (bytes: Buffer, start: number, hash: BodyHash | undefined) => {
      const segment = keys.newSegment(upload.uploadId, start, start + bytes.length)
      await bucket.put(segment.key, bytes, { hash })
      segments.unshift(segment)
      this.#early.add(upload, segment, () => this.#targetOf(upload))
    }
    const end = await appendSegments({ budget, segmentSize, hashAlgorithm, put }, offset, body, signal)
    const newest = await mergeSmall(this.#context, upload.uploadId, segments, upload.total, signal)
    if (isContinued && newest) this.#recent.remember(upload.uploadId, newest)
    return end
  }

  /** Lists the newest segments, unless this process knew a moment ago that the upload ends at `expected`. */
  async received({ uploadId }: StagedUpload, expected?: number): Promise<number> {
    const { bucket, keys } = this.#context
    if (expected !== undefined && expected === this.#recent.endOf(uploadId)) return expected
    const listed = await bucket.listSome(keys.segmentPrefix(uploadId), NEWEST_SEGMENTS)
    const segments = listed.flatMap(({ key }) => parseSegment(key) ?? [])
    // Without an expected offset, the session is not locked: an append may have ended since.
    if (expected !== undefined) this.#recent.remember(uploadId, segments)
    return segments[0]?.end ?? 0
  }

  read(upload: StagedUpload): Readable {
    return streamFrom((signal) => this.#readSegments(upload, signal))
  }

  async publish(upload: StagedUpload, { overwrite }: { overwrite: boolean }): Promise<StoredFile> {
    const { uploadId, total = 0 } = upload
    const target = this.#targetOf(upload)
    this.#recent.forget(uploadId)
    const [started, complete] = await Promise.all([
      this.#early.take(uploadId, target),
      completeCover(this.#context, uploadId, total),
    ])
    const publication: S3Publication = {
      upload,
      total,
      ...target,
      started,
      overwrite,
      conditions: this.#conditions ?? { put: false, copy: false, complete: false },
      exclusive: this.#settings.exclusive ?? ((_, work) => work()),
    }
    const published = complete ? undefined : await findPublished(this.#context, publication)
    if (published) return published
    const { pieces, notes } = complete ?? (await requireComplete(this.#context, uploadId, total))
    return this.#publications.run(publication.key, () =>
      publishSegments(this.#context, publication, pieces, notes),
    )
  }

  async discard({ uploadId }: StagedUpload, { keepReply = false } = {}): Promise<void> {
    const { bucket, multipart, keys, concurrency } = this.#context
    this.#recent.forget(uploadId)
    await this.#early.abandon(uploadId)
    const doomed: string[] = []
    for await (const { key } of bucket.list(keys.uploadPrefix(uploadId))) {
      if (!keepReply || key !== keys.reply(uploadId)) doomed.push(key)
    }
    await mapConcurrently(doomed, concurrency, (key) =>
      isNote(key) ? abortNoted(bucket, multipart, key) : bucket.delete(key),
    )
  }

  async *staged(): AsyncGenerator<StagedData> {
    const { bucket, keys } = this.#context
    let upload: StagedData | undefined
    for await (const { key, lastModified } of bucket.list(keys.prefix)) {
      const uploadId = keys.uploadIdOf(key)
      if (uploadId === undefined) continue
      if (upload && upload.uploadId !== uploadId) yield upload
      const isNewest = upload?.uploadId !== uploadId || upload.lastModified < lastModified
      if (isNewest) upload = { uploadId, lastModified }
    }
    if (upload) yield upload
  }

  async writeReply({ uploadId }: StagedUpload, body: Readable): Promise<number> {
    return writeReply(this.#context, uploadId, body)
  }

  async statReply({ uploadId }: StagedUpload): Promise<StoredReply | undefined> {
    const { bucket, keys } = this.#context
    const facts = await bucket.head(keys.reply(uploadId))
    return facts && { size: facts.size, lastModified: facts.lastModified }
  }

  readReply(upload: StagedUpload, range?: ByteRange): Readable {
    return streamFrom((signal) => this.#readReply(upload, range, signal))
  }

  async *#readSegments(upload: StagedUpload, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { bucket } = this.#context
    const { pieces, end, highest } = await readableCover(this.#context, upload)
    const { uploadId, total = end } = upload
    if (end < highest || end !== total) {
      throw new BitsError('staged-data-missing', `Upload ${uploadId} lacks bytes from ${end} on.`)
    }
    for (const piece of pieces) yield* readObject(bucket, piece.segment.key, rangeOf(piece), { signal })
  }

  async *#readReply(upload: StagedUpload, range: ByteRange | undefined, signal: AbortSignal) {
    const { bucket, keys } = this.#context
    const size = range ? range.end + 1 : (await this.statReply(upload))?.size
    if (size === undefined) {
      throw new BitsError('staged-data-missing', `The reply of ${upload.uploadId} was removed.`)
    }
    yield* readObject(bucket, keys.reply(upload.uploadId), { from: range?.start ?? 0, to: size }, { signal })
  }

  #targetOf({ uploadId, destination }: StagedUpload): ObjectTarget {
    const key = this.#keyOf(destination)
    return { key, settings: markedSettings(this.#settings.object, destination, uploadId) }
  }

  #keyOf(destination: string): string {
    return fileKey(this.#settings.key, destination, this.#settings.stagingPrefix)
  }
}
