import { Bucket } from './bucket.js'
import { BufferBudget } from './buffer-budget.js'
import { StagingKeys } from './keys.js'
import { MultipartRequests } from './multipart.js'
import type { S3Settings } from './options.js'
import type { PartLimits } from './plan-parts.js'
import { Requester } from './requester.js'

/** Shared by the operations of a storage. */
export interface S3Context {
  readonly requester: Requester
  readonly bucket: Bucket
  readonly multipart: MultipartRequests
  readonly keys: StagingKeys
  readonly budget: BufferBudget
  readonly limits: PartLimits
  /** Requests of one publication at a time. */
  readonly concurrency: number
  readonly assemble: 'copy' | 'stream'
}

/** Share of `maxBuffered` for the storage's own buffers. The rest is for what Node has received on each connection. */
const STORAGE_SHARE = 3 / 4

export function createContext(settings: S3Settings, limits: PartLimits): S3Context {
  const { client, bucket, stagingPrefix, maxBuffered, concurrency, timeout, assemble } = settings
  const requester = new Requester(client, bucket, timeout)
  return {
    requester,
    bucket: new Bucket(requester),
    multipart: new MultipartRequests(requester),
    keys: new StagingKeys(stagingPrefix),
    budget: new BufferBudget(Math.floor(maxBuffered * STORAGE_SHARE)),
    limits,
    concurrency,
    assemble,
  }
}
