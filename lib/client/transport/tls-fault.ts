import { ADVICE } from '../advice.js'

/** Node's codes for certificates that it rejects: a retry does not help. */
const CERTIFICATE = /^(?:ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/** Codes of certificates whose authority is unknown on this machine. */
const UNKNOWN_AUTHORITY = /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/

/** OpenSSL's messages for a server that responds to the TLS handshake with something else. */
const NOT_TLS = /:(?:wrong version number|http request|unknown protocol)\b/

/**
 * `SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/[...]:SSL alert number 116`: alike in all
 * versions of TLS, unlike the code, which may be a bare `EPROTO`.
 */
const ALERT = /SSL routines:[^:]*:([^:]+):/
const ALERT_NUMBER = /SSL alert number (\d+)/

/** close_notify, bad_record_mac, internal_error and user_canceled say nothing about the next attempt (RFC 8446 6). */
const PASSING_ALERTS = new Set([0, 20, 80, 90])

/** handshake_failure, those of certificates, unknown_ca, access_denied, certificate_required (RFC 8446 6.2, RFC 5246 7.2). */
const CERTIFICATE_ALERTS = new Set([40, 41, 42, 43, 44, 45, 46, 48, 49, 116])

/** A TLS failure that persists until the configuration changes. */
export interface TlsFault {
  readonly why: string
  /** How to fix it, as a sentence; empty if unknown. */
  readonly hint: string
}

/** @param message of Node's error. */
export function tlsFault(code: string, message: string): TlsFault | undefined {
  if (CERTIFICATE.test(code)) return { why: message || code, hint: certificateHint(code) }
  if (NOT_TLS.test(message)) {
    return { why: 'this port does not speak TLS', hint: 'Use http: in the URL, or the port for https:.' }
  }
  const why = ALERT.exec(message)?.[1]
  const number = ALERT_NUMBER.exec(message)?.[1]
  if (why === undefined || number === undefined || PASSING_ALERTS.has(Number(number))) return undefined
  const asksForOne = CERTIFICATE_ALERTS.has(Number(number))
  return { why, hint: asksForOne ? `It may want a certificate that it trusts: ${ADVICE.certificate}.` : '' }
}

function certificateHint(code: string): string {
  if (UNKNOWN_AUTHORITY.test(code)) {
    return `This machine does not trust the server's certificate: ${ADVICE.authority}.`
  }
  return code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID'
    ? 'Renew it, or set the clock of this machine.'
    : ''
}
