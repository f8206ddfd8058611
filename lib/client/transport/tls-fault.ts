import { ADVICE } from '../advice.js'

/** The server's certificate: it does not get better by asking again. */
const CERTIFICATE = /^(?:ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/**
 * `SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/[...]:SSL alert number 116`: alike in all
 * versions of TLS, unlike the code, which may be a bare `EPROTO`.
 */
const ALERT = /SSL routines:[^:]*:([^:]+):.*SSL alert number (\d+)/

/** close_notify, bad_record_mac, internal_error and user_canceled say nothing of the next try (RFC 8446 6). */
const PASSING_ALERTS = new Set([0, 20, 80, 90])

/** handshake_failure, those of certificates, unknown_ca, access_denied, certificate_required (RFC 8446 6.2, RFC 5246 7.2). */
const CERTIFICATE_ALERTS = new Set([40, 41, 42, 43, 44, 45, 46, 48, 49, 116])

/** A failure of TLS that lasts until something is changed. */
export interface TlsFault {
  readonly why: string
  /** What to do about it, where that is known. */
  readonly hint: string
}

/** @param message of the error that Node gives. */
export function tlsFault(code: string, message: string): TlsFault | undefined {
  if (CERTIFICATE.test(code)) return { why: message || code, hint: '' }
  const [, why = '', number] = ALERT.exec(message) ?? []
  if (number === undefined || PASSING_ALERTS.has(Number(number))) return undefined
  const asksForOne = CERTIFICATE_ALERTS.has(Number(number))
  return { why, hint: asksForOne ? ` It may want a certificate that it trusts: ${ADVICE.certificate}.` : '' }
}
