import { createHash } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import { withDeadline } from '../../util/deadline.js'
import type { S3ObjectSettings } from './object-settings.js'
import { RequestSlots } from './request-slots.js'
import { toStorageError } from './service-error.js'

/** How a request is made. */
export interface S3RequestOptions<Answer> {
  readonly signal?: AbortSignal | undefined
  /** Bytes that the service has to copy or assemble, which takes time. */
  readonly size?: number | undefined
  /** Frees the resources of a response that arrives too late. */
  readonly dispose?: ((late: Answer) => void) | undefined
}

/** How an object is written. */
export interface WriteOptions {
  readonly settings?: S3ObjectSettings | undefined
  /** Fail with `PreconditionFailed` if the object already exists. */
  readonly onlyIfNew?: boolean | undefined
  /** Bytes that the service has to copy or assemble. */
  readonly size?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Minimum bytes that a service copies in a second. */
const COPY_RATE = 32 * 1024 * 1024

/** Requests at a time, of all uploads and publications. The SDK has 50 connections unless it is configured otherwise. */
const MAX_REQUESTS = 200

/**
 * Sends requests for one bucket, each with its own deadline: a service that hangs must not hang an upload, and the
 * SDK's `requestTimeout` only warns unless configured otherwise.
 */
export class Requester {
  readonly client: S3Client
  readonly bucket: string
  /** Milliseconds for one request. */
  readonly timeout: number
  readonly #slots = new RequestSlots(MAX_REQUESTS)

  constructor(client: S3Client, bucket: string, timeout: number) {
    this.client = client
    this.bucket = bucket
    this.timeout = timeout
  }

  /** @throws the SDK's error, converted by `toStorageError`. */
  async request<Answer>(
    operation: string,
    key: string,
    send: (options: { abortSignal: AbortSignal }) => Promise<Answer>,
    { signal, size = 0, dispose }: S3RequestOptions<Answer> = {},
  ): Promise<Answer> {
    const stop = new AbortController()
    const abortSignal = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
    const sending = this.#slots.run(() => send({ abortSignal }), abortSignal)
    try {
      return await withDeadline(sending, this.timeout + (size / COPY_RATE) * 1000, () => stop.abort())
    } catch (error) {
      if (dispose) sending.then(dispose, () => {})
      throw toStorageError(error, `${operation} of "${this.bucket}/${key}"`)
    }
  }

  /** An object of this bucket as the source of a copy. */
  sourceOf(key: string): string {
    return [this.bucket, ...key.split('/')].map(encodeURIComponent).join('/')
  }
}

export const conditionOf = ({ onlyIfNew }: WriteOptions): { IfNoneMatch?: string } =>
  onlyIfNew ? { IfNoneMatch: '*' } : {}

/** Services other than AWS ignore the newer checksum headers, and all check this one. FIPS modes have no MD5. */
export function md5(bytes: Buffer): string | undefined {
  try {
    return createHash('md5').update(bytes).digest('base64')
  } catch {
    return undefined
  }
}
