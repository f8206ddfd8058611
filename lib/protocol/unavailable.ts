import { BitsError } from './bits-error.js'

/** Seconds after which a client other than BITS may try again. BITS has its own retry delay. */
const RETRY_AFTER = '30'

/** For a service that did not respond, or refused a command: a client that tries again may succeed. */
export const serviceUnavailable = (message: string, options: ErrorOptions = {}): BitsError =>
  new BitsError({ status: 503, headers: { 'Retry-After': RETRY_AFTER } }, message, options)
