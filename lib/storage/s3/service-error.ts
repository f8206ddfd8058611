import { BitsError } from '../../protocol/bits-error.js'
import { serviceUnavailable } from '../../protocol/unavailable.js'
import { asError } from '../../util/errors.js'

/** Error codes of services that have no space left, or have reached a quota. */
const FULL = new Set(['QuotaExceeded', 'QuotaExceededException', 'XMinioStorageFull', 'InsufficientCapacity'])
/** Error codes with a status below 500 for transient failures. */
const PASSING = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'RequestTimeout',
  'OperationAborted',
  'ConditionalRequestConflict',
])

/** How the service refused a request. */
interface Refusal {
  readonly code: string
  readonly status: number
}

/** Reads an error of the SDK, or one of {@link toStorageError}; `undefined` if the service did not respond. */
function refusalOf(error: unknown): Refusal | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const metadata: unknown = Reflect.get(error, '$metadata')
  const status: unknown =
    typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'httpStatusCode') : undefined
  if (typeof status === 'number') return { code: String(Reflect.get(error, 'name')), status }
  return refusalOf(Reflect.get(error, 'cause'))
}

/** Tells whether there is no such object or multipart upload. */
export function isNotFound(error: unknown): boolean {
  const refusal = refusalOf(error)
  return refusal?.status === 404 && refusal.code !== 'NoSuchBucket'
}

/** Tells whether the service honored `If-None-Match`. Swift answers 412 for another reason, with another code. */
export const isPreconditionFailed = (error: unknown): boolean =>
  refusalOf(error)?.code === 'PreconditionFailed'

/** Tells whether the request was refused because of another one for the same object. */
export const isConflict = (error: unknown): boolean => refusalOf(error)?.status === 409

/** Tells whether the service cannot or will not do this, so that another attempt would fail in the same way. */
export function isRefused(error: unknown): boolean {
  const refusal = refusalOf(error)
  return (
    refusal !== undefined && (refusal.status < 500 || refusal.status === 501) && !PASSING.has(refusal.code)
  )
}

/** For `.catch()`: a missing object is `undefined`, not a failure. */
export function ignoreMissing(error: unknown): undefined {
  if (isNotFound(error)) return undefined
  throw error
}

/**
 * Converts an SDK error to the response to the client: 503 if another attempt may succeed, "disk full" if the service
 * has no space, and 500 if the configuration has to change.
 *
 * @param request for the message.
 */
export function toStorageError(error: unknown, request: string): Error {
  const refusal = refusalOf(error)
  const { message } = asError(error)
  const options = { cause: error }
  if (!refusal) return serviceUnavailable(`S3Storage: ${request} failed: ${message}`, options)
  const text = `S3Storage: ${request} was answered ${refusal.status} ${refusal.code}: ${message}`
  if (FULL.has(refusal.code) || refusal.status === 507) return new BitsError('disk-full', text, options)
  if (refusal.code === 'KeyTooLongError') return new BitsError('destination-refused', text, options)
  if (isRefused(error)) return new Error(text, options)
  return serviceUnavailable(text, options)
}
