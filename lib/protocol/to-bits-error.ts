import { asError, errorCode } from '../util/errors.js'
import { BitsError, type BitsErrorCode, type ErrorContext, isSendable } from './bits-error.js'

/** What system errors mean to a client. All others are `unforeseen`. */
const CONDITION_OF_CODE: Readonly<Record<string, BitsErrorCode>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  ENAMETOOLONG: 'destination-refused',
  // FAT32 ends at 4 GiB, and `ulimit -f` may set a lower limit.
  EFBIG: 'upload-too-large',
}

/**
 * What to answer the client for any thrown value: a `BitsError` as it is; an error with an HTTP status (as the package
 * `http-errors` makes them) with that status and what its `headers` ask of the client; a system error that means
 * something to the client by its code; everything else as `unforeseen`.
 *
 * @param context who failed, for errors that do not say it themselves.
 */
export function toBitsError(error: unknown, context: ErrorContext = 0x5): BitsError {
  if (error instanceof BitsError) return error
  const message = asError(error).message
  const cause = { cause: error }
  const status = httpStatusOf(error)
  if (status !== undefined) {
    return new BitsError({ status, context, headers: headersOf(error) }, message, cause)
  }
  const code = errorCode(error)
  const known =
    code !== undefined && Object.hasOwn(CONDITION_OF_CODE, code) ? CONDITION_OF_CODE[code] : undefined
  return new BitsError(known ?? 'unforeseen', message, cause)
}

function httpStatusOf(error: unknown): number | undefined {
  const status = property(error, 'status') ?? property(error, 'statusCode')
  return typeof status === 'number' && Number.isInteger(status) && status >= 300 && status <= 599
    ? status
    : undefined
}

/** What an error may say beside its status. Others it may have from a response of somebody else's. */
const FORWARDED_HEADERS = ['WWW-Authenticate', 'Proxy-Authenticate', 'Retry-After']

/** The headers that `http-errors` and authentication middleware hang on their errors, and that are meant for clients. */
function headersOf(error: unknown): Record<string, string> {
  const headers = property(error, 'headers')
  const told: Record<string, string> = {}
  if (typeof headers !== 'object' || headers === null) return told
  for (const [name, value] of Object.entries(headers)) {
    const known = FORWARDED_HEADERS.find((header) => header.toLowerCase() === name.toLowerCase())
    if (known && typeof value === 'string' && isSendable(known, value)) told[known] = value
  }
  return told
}

const property = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
