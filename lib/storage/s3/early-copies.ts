import { debuglog, isDeepStrictEqual } from 'node:util'
import type { CompletedPart } from '@aws-sdk/client-s3'
import type { StagedUpload } from '../../../types/storage.js'
import type { S3Context } from './context.js'
import type { Segment } from './keys.js'
import { abandonMultipart, beginMultipart, type NotedMultipart } from './noted-multipart.js'
import type { S3ObjectSettings } from './object-settings.js'
import type { Part } from './plan-parts.js'

const logCopies = debuglog('express-bits-upload:s3')

/** Maximum number of uploads, and of parts of each. Whatever is not copied early is copied at the end. */
const MAX_FILES = 100
const MAX_PARTS = 1000

/** Milliseconds after which the bucket's lifecycle rules may have removed an incomplete multipart upload. */
const MAX_AGE = 12 * 60 * 60 * 1000

/** The object that an upload becomes. */
export interface ObjectTarget {
  readonly key: string
  readonly settings: S3ObjectSettings
}

/** A multipart upload that has some of its parts already. */
export interface StartedMultipart {
  readonly noted: NotedMultipart
  /** The part at an index, from 0, if it has been copied. */
  readonly copied: (index: number, part: Part) => CompletedPart | undefined
}

interface BegunMultipart extends NotedMultipart, ObjectTarget {
  /** Milliseconds since 1970. */
  readonly begun: number
}

/** A file whose first segments are copied while the rest arrives. */
interface GrowingFile {
  readonly uploadId: string
  readonly target: () => ObjectTarget
  /** Adjacent segments from the start of the file, each of which becomes one part. */
  readonly segments: Segment[]
  readonly parts: Map<number, CompletedPart>
  readonly copies: Set<Promise<void>>
  /** Index of the segment to copy next. */
  next: number
  multipart: Promise<BegunMultipart> | undefined
  isStopped: boolean
}

/**
 * Copies the first segments of large files to their destination's multipart upload while the rest still arrives, so that
 * less has to be done at the end. This is only an optimization: a process that does not know of the copies, or finds
 * others than it needs, aborts the multipart upload that the note names, and copies all segments again.
 */
export class EarlyCopies {
  readonly #context: S3Context
  readonly #files = new Map<string, GrowingFile>()
  #inProgress = 0

  constructor(context: S3Context) {
    this.#context = context
  }

  /**
   * Considers a segment that has been stored. Copying begins with the second segment, unless that is the last: a smaller
   * file would gain nothing. The last segment of a larger one is copied while its publication is prepared.
   */
  add({ uploadId, total = 0 }: StagedUpload, segment: Segment, target: () => ObjectTarget): void {
    const { assemble, limits } = this.#context
    if (assemble !== 'copy' || segment.end - segment.start < limits.minPartSize) return
    const file = this.#files.get(uploadId) ?? newFile(uploadId, target)
    if (segment.end >= total && !file.multipart) return
    const { segments } = file
    if (segment.start !== (segments.at(-1)?.end ?? 0) || segments.length >= MAX_PARTS) return
    segments.push(segment)
    this.#remember(file)
    if (segments.length > 1) this.#proceed(file)
  }

  /** Ends the copying of an upload. @returns the multipart upload, if there is one for this target. */
  async take(uploadId: string, { key, settings }: ObjectTarget): Promise<StartedMultipart | undefined> {
    const file = await this.#stop(uploadId)
    const noted = await file?.multipart?.catch(() => undefined)
    if (!file || !noted || Date.now() - noted.begun > MAX_AGE) return undefined
    if (noted.key !== key || !isDeepStrictEqual(noted.settings, settings)) return undefined
    return {
      noted,
      copied: (index, part) => (isCopyOf(part, file.segments[index]) ? file.parts.get(index) : undefined),
    }
  }

  /** Ends the copying of an upload that is discarded. */
  async abandon(uploadId: string): Promise<void> {
    const file = await this.#stop(uploadId)
    const noted = await file?.multipart?.catch(() => undefined)
    if (noted) await abandonMultipart(this.#context, noted)
  }

  async #stop(uploadId: string): Promise<GrowingFile | undefined> {
    const file = this.#files.get(uploadId)
    if (!file) return undefined
    file.isStopped = true
    await Promise.all(file.copies)
    this.#files.delete(uploadId)
    return file
  }

  /** Forgets the upload that has not grown for longest, if there are too many. Its note remains. */
  #remember(file: GrowingFile): void {
    this.#files.delete(file.uploadId)
    this.#files.set(file.uploadId, file)
    const [oldest] = this.#files.values()
    if (this.#files.size <= MAX_FILES || !oldest) return
    oldest.isStopped = true
    this.#files.delete(oldest.uploadId)
  }

  #proceed(file: GrowingFile): void {
    while (!file.isStopped && this.#inProgress < this.#context.concurrency) {
      const index = file.next
      const segment = file.segments[index]
      if (!segment) return
      file.next++
      this.#inProgress++
      const copy = this.#copy(file, index, segment)
        .catch((error) => this.#fail(file, error))
        .finally(() => {
          this.#inProgress--
          file.copies.delete(copy)
          this.#proceed(file)
        })
      file.copies.add(copy)
    }
  }

  async #copy(file: GrowingFile, index: number, { key, start, end }: Segment): Promise<void> {
    file.multipart ??= this.#begin(file)
    const { upload } = await file.multipart
    const range = { from: 0, to: end - start }
    file.parts.set(index, await this.#context.multipart.copyPart(upload, index + 1, key, range))
  }

  async #begin({ uploadId, target }: GrowingFile): Promise<BegunMultipart> {
    const { key, settings } = target()
    const begun = Date.now()
    return { ...(await beginMultipart(this.#context, uploadId, key, settings)), key, settings, begun }
  }

  /** What was copied is of no use if another process has aborted the multipart upload. */
  async #fail(file: GrowingFile, error: unknown): Promise<void> {
    logCopies('the segments of %s were not copied early: %s', file.uploadId, error)
    const { multipart } = file
    file.isStopped = true
    file.multipart = undefined
    const noted = await multipart?.catch(() => undefined)
    if (noted) await abandonMultipart(this.#context, noted)
  }
}

const newFile = (uploadId: string, target: () => ObjectTarget): GrowingFile => ({
  uploadId,
  target,
  segments: [],
  parts: new Map(),
  copies: new Set(),
  next: 0,
  multipart: undefined,
  isStopped: false,
})

const isCopyOf = (part: Part, segment: Segment | undefined): boolean =>
  part.kind === 'copy' &&
  part.piece.segment.key === segment?.key &&
  part.piece.from === segment.start &&
  part.piece.to === segment.end
