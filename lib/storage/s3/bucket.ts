import { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { contentMd5, hashBody, signHash } from './body-hash.js'
import { markOf } from './object-settings.js'
import { conditionOf, type Requester, type WriteOptions } from './requester.js'
import { ignoreMissing } from './service-error.js'

/** An object as the service describes it. */
export interface ObjectFacts {
  readonly size: number
  readonly lastModified: Date
  readonly etag: string | undefined
  readonly versionId: string | undefined
  /** The upload that it was made from. */
  readonly mark: string | undefined
}

/** An object in a listing. */
export interface ListedObject {
  readonly key: string
  readonly lastModified: Date
}

/** Bytes `from` to `to` (exclusive). */
export interface Range {
  readonly from: number
  readonly to: number
}

/** The requests for objects of one bucket. */
export class Bucket {
  readonly #requester: Requester

  constructor(requester: Requester) {
    this.#requester = requester
  }

  get name(): string {
    return this.#requester.bucket
  }

  /** Milliseconds for one request. */
  get timeout(): number {
    return this.#requester.timeout
  }

  /** Rejects if the bucket does not exist or must not be used. */
  async check(): Promise<void> {
    const { client, bucket } = this.#requester
    const command = new HeadBucketCommand({ Bucket: bucket })
    await this.#requester.request('HeadBucket', '', (options) => client.send(command, options))
  }

  async put(key: string, bytes: Buffer, { settings, signal, ...write }: WriteOptions = {}): Promise<void> {
    const { client, bucket, hashAlgorithm } = this.#requester
    const hash = write.hash ?? hashBody(hashAlgorithm, bytes)
    const command = new PutObjectCommand({
      ...settings,
      Bucket: bucket,
      Key: key,
      Body: bytes,
      ...contentMd5(hash),
      ...conditionOf(write),
    })
    signHash(command, hash)
    await this.#requester.request('PutObject', key, (options) => client.send(command, options), { signal })
  }

  /** Copies an object within the service. */
  async copy(from: string, to: string, { settings, size, ...write }: WriteOptions = {}): Promise<void> {
    const { client, bucket } = this.#requester
    const command = new CopyObjectCommand({
      ...settings,
      Bucket: bucket,
      Key: to,
      CopySource: this.#requester.sourceOf(from),
      MetadataDirective: 'REPLACE',
      ...(settings?.Tagging !== undefined && { TaggingDirective: 'REPLACE' }),
      ...conditionOf(write),
    })
    await this.#requester.request('CopyObject', to, (options) => client.send(command, options), { size })
  }

  /** @returns `undefined` when there is no such object. */
  async head(key: string): Promise<ObjectFacts | undefined> {
    const { client, bucket } = this.#requester
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key })
    const facts = await this.#requester
      .request('HeadObject', key, (options) => client.send(command, options))
      .catch(ignoreMissing)
    return (
      facts && {
        size: facts.ContentLength ?? 0,
        lastModified: facts.LastModified ?? new Date(0),
        etag: facts.ETag,
        versionId: facts.VersionId,
        mark: markOf(facts.Metadata),
      }
    )
  }

  /**
   * Reads a range of an object. The deadline applies to the start of the response.
   *
   * @param etag makes it fail when the object has been replaced.
   */
  async get(
    key: string,
    { from, to }: Range,
    { etag, signal }: { etag?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<{ body: Readable; etag: string | undefined }> {
    const { client, bucket } = this.#requester
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: key,
      Range: `bytes=${from}-${to - 1}`,
      ...(etag !== undefined && { IfMatch: etag }),
    })
    const { Body: body, ETag } = await this.#requester.request(
      'GetObject',
      key,
      (options) => client.send(command, options),
      { signal, dispose: ({ Body }) => void (Body instanceof Readable && Body.destroy()) },
    )
    if (!(body instanceof Readable)) {
      throw new Error(
        'S3Storage: the client does not return Node.js streams: give it a requestHandler that does, like the default one.',
      )
    }
    return { body, etag: ETag }
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    const { client, bucket } = this.#requester
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key })
    await this.#requester
      .request('DeleteObject', key, (options) => client.send(command, options), { signal })
      .catch(ignoreMissing)
  }

  /** The first names with a prefix, in order. */
  async listSome(prefix: string, max: number): Promise<ListedObject[]> {
    return (await this.#page(prefix, max)).objects
  }

  /** All names with a prefix, in order, 1,000 per request. */
  async *list(prefix: string): AsyncGenerator<ListedObject> {
    let next: string | undefined
    do {
      const page = await this.#page(prefix, 1000, next)
      yield* page.objects
      next = page.next
    } while (next !== undefined)
  }

  async #page(
    prefix: string,
    max: number,
    token?: string,
  ): Promise<{ objects: ListedObject[]; next: string | undefined }> {
    const { client, bucket } = this.#requester
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      MaxKeys: max,
      ...(token !== undefined && { ContinuationToken: token }),
    })
    const page = await this.#requester.request('ListObjectsV2', prefix, (options) =>
      client.send(command, options),
    )
    const objects = (page.Contents ?? []).flatMap(({ Key: key, LastModified: lastModified = new Date(0) }) =>
      key === undefined ? [] : [{ key, lastModified }],
    )
    return { objects, next: page.IsTruncated ? page.NextContinuationToken : undefined }
  }
}
