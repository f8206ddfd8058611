import type { S3Client } from '@aws-sdk/client-s3'
import { DeadlineError, withDeadline } from '../../util/deadline.js'
import type { BodyHash, HashAlgorithm } from './body-hash.js'
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
  /** Computed from the bytes if it is absent. */
  readonly hash?: BodyHash | undefined
}

/** Minimum bytes that a service copies in a second. */
const COPY_RATE = 32 * 1024 * 1024

/**
 * Requests in progress at a time, of all uploads and publications: each takes some 100 KB of the SDK's objects. Below
 * the 50 connections that the SDK has by default, so that a request is sent at once when its time begins.
 */
const MAX_REQUESTS = 32

/**
 * Sends requests for one bucket, each with its own deadline: a service that hangs must not hang an upload, and the
 * SDK's `requestTimeout` only warns unless configured otherwise.
 */
export class Requester {
  readonly client: S3Client
  readonly bucket: string
  /** Milliseconds for one request. */
  readonly timeout: number
  /** Set when the storage has found out what the service verifies. */
  hashAlgorithm: HashAlgorithm = 'md5'
  readonly #slots: RequestSlots
  /** Number of requests that ended in time. */
  #answered = 0

  constructor(client: S3Client, bucket: string, timeout: number, maxRequests = MAX_REQUESTS) {
    this.client = client
    this.bucket = bucket
    this.timeout = timeout
    this.#slots = new RequestSlots(maxRequests)
  }

  /**
   * Sends a request in its turn. Its time begins when it is sent.
   *
   * @throws the SDK's error, converted by `toStorageError`.
   */
  async request<Answer>(
    operation: string,
    key: string,
    send: (options: { abortSignal: AbortSignal }) => Promise<Answer>,
    { signal, size = 0, dispose }: S3RequestOptions<Answer> = {},
  ): Promise<Answer> {
    const stop = new AbortController()
    const abortSignal = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
    const time = this.timeout + (size / COPY_RATE) * 1000
    let sending: Promise<Answer> | undefined
    const sendInTime = () => {
      sending = send({ abortSignal })
      return withDeadline(sending, time, this.#watch(sending, stop))
    }
    try {
      return await this.#slots.run(sendInTime, abortSignal)
    } catch (error) {
      if (dispose) sending?.then(dispose, () => {})
      throw toStorageError(error, `${operation} of "${this.bucket}/${key}"`)
    }
  }

  /**
   * @returns what stops the request at the end of its time. If the service has answered no other request in that time,
   * it hangs, and all that wait for their turn fail too.
   */
  #watch(sending: Promise<unknown>, stop: AbortController): () => void {
    const answeredBefore = this.#answered
    const count = () => {
      if (!stop.signal.aborted) this.#answered++
    }
    sending.then(count, count)
    return () => {
      if (this.#answered === answeredBefore) this.#slots.rejectWaiting(new DeadlineError('the service hangs'))
      stop.abort()
    }
  }

  /** An object of this bucket as the source of a copy. */
  sourceOf(key: string): string {
    return [this.bucket, ...key.split('/')].map(encodeURIComponent).join('/')
  }
}

export const conditionOf = ({ onlyIfNew }: WriteOptions): { IfNoneMatch?: string } =>
  onlyIfNew ? { IfNoneMatch: '*' } : {}
