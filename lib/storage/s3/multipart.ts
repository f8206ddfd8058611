import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { contentMd5, hashBody, signHash } from './body-hash.js'
import type { Range } from './bucket.js'
import type { S3ObjectSettings } from './object-settings.js'
import { conditionOf, type Requester, type WriteOptions } from './requester.js'
import { ignoreMissing } from './service-error.js'

/** A multipart upload in progress. */
export interface MultipartUpload {
  readonly key: string
  readonly id: string
}

/** The requests of multipart uploads. */
export class MultipartRequests {
  readonly #requester: Requester

  constructor(requester: Requester) {
    this.#requester = requester
  }

  async create(key: string, settings: S3ObjectSettings = {}): Promise<MultipartUpload> {
    const { client, bucket } = this.#requester
    const command = new CreateMultipartUploadCommand({ ...settings, Bucket: bucket, Key: key })
    const { UploadId: id } = await this.#requester.request('CreateMultipartUpload', key, (options) =>
      client.send(command, options),
    )
    if (id === undefined) throw new Error(`S3Storage: CreateMultipartUpload of "${key}" gave no upload id.`)
    return { key, id }
  }

  /** @param number from 1. */
  async uploadPart(upload: MultipartUpload, number: number, bytes: Buffer): Promise<CompletedPart> {
    const { client, hashAlgorithm } = this.#requester
    const hash = hashBody(hashAlgorithm, bytes)
    const command = new UploadPartCommand({
      ...this.#part(upload, number),
      Body: bytes,
      ...contentMd5(hash),
    })
    signHash(command, hash)
    const { ETag } = await this.#requester.request('UploadPart', upload.key, (options) =>
      client.send(command, options),
    )
    return completedPart(number, ETag)
  }

  /** Creates a part from a range of another object. */
  async copyPart(
    upload: MultipartUpload,
    number: number,
    from: string,
    range: Range,
  ): Promise<CompletedPart> {
    const { client } = this.#requester
    const command = new UploadPartCopyCommand({
      ...this.#part(upload, number),
      CopySource: this.#requester.sourceOf(from),
      CopySourceRange: `bytes=${range.from}-${range.to - 1}`,
    })
    const { CopyPartResult: result } = await this.#requester.request(
      'UploadPartCopy',
      upload.key,
      (options) => client.send(command, options),
      { size: range.to - range.from },
    )
    return completedPart(number, result?.ETag)
  }

  async complete(upload: MultipartUpload, parts: CompletedPart[], write: WriteOptions = {}): Promise<void> {
    const { client, bucket } = this.#requester
    const command = new CompleteMultipartUploadCommand({
      Bucket: bucket,
      Key: upload.key,
      UploadId: upload.id,
      MultipartUpload: { Parts: parts },
      ...conditionOf(write),
    })
    await this.#requester.request(
      'CompleteMultipartUpload',
      upload.key,
      (options) => client.send(command, options),
      { size: write.size },
    )
  }

  /** Aborts a multipart upload, unless it no longer exists. */
  async abort({ key, id }: MultipartUpload): Promise<void> {
    const { client, bucket } = this.#requester
    const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id })
    await this.#requester
      .request('AbortMultipartUpload', key, (options) => client.send(command, options))
      .catch(ignoreMissing)
  }

  #part({ key, id }: MultipartUpload, number: number) {
    return { Bucket: this.#requester.bucket, Key: key, UploadId: id, PartNumber: number }
  }
}

function completedPart(number: number, etag: string | undefined): CompletedPart {
  if (etag === undefined) throw new Error(`S3Storage: the service gave no ETag for part ${number}.`)
  return { PartNumber: number, ETag: etag }
}
