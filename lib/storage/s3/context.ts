import type { Bucket } from './bucket.js'
import type { BufferBudget } from './buffer-budget.js'
import type { StagingKeys } from './keys.js'
import type { MultipartRequests } from './multipart.js'
import type { PartLimits } from './plan-parts.js'

/** Shared by the operations of a storage. */
export interface S3Context {
  readonly bucket: Bucket
  readonly multipart: MultipartRequests
  readonly keys: StagingKeys
  readonly budget: BufferBudget
  readonly limits: PartLimits
  /** Requests of one publication at a time. */
  readonly concurrency: number
  readonly assemble: 'copy' | 'stream'
}
