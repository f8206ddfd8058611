import { asError, errorCode } from '../util/errors.js'
import { property } from '../util/property.js'
import { BitsError, type BitsErrorCode, type ErrorContext, isSendable } from './bits-error.js'

/** The conditions of system errors. All others are `unforeseen`. */
const CONDITION_OF_CODE: Readonly<Record<string, BitsErrorCode>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  ENAMETOOLONG: 'destination-refused',
  // FAT32 files are limited to 4 GiB, and `ulimit -f` may set a lower limit.
  EFBIG: 'upload-too-large',
}

/**
 * Converts any thrown value: a `BitsError` is returned as it is; an error with an HTTP status (like those of the
 * package `http-errors`) keeps that status and the headers that are meant for clients; a system error gets a
 * condition by its code; everything else is `unforeseen`.
 *
 * @param context which side failed, for errors that do not say it themselves.
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

/** Headers of an error that are sent with its status. Others may come from some upstream response. */
const FORWARDED_HEADERS = ['WWW-Authenticate', 'Proxy-Authenticate', 'Retry-After']

/** The headers of `http-errors` and of authentication middleware that are meant for clients. */
function headersOf(error: unknown): Record<string, string> {
  const headers = property(error, 'headers')
  const forwarded: Record<string, string> = {}
  if (typeof headers !== 'object' || headers === null) return forwarded
  for (const [name, value] of Object.entries(headers)) {
    const known = FORWARDED_HEADERS.find((header) => header.toLowerCase() === name.toLowerCase())
    if (known && typeof value === 'string' && isSendable(known, value)) forwarded[known] = value
  }
  return forwarded
}
