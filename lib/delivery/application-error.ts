import { BitsError } from '../protocol/bits-error.js'
import { hresultOfStatus } from '../protocol/hresult.js'
import { toBitsError } from '../protocol/to-bits-error.js'

/**
 * Statuses that steer an upload and never reach the user. After 413 a client immediately sends the last fragment again in
 * smaller pieces. After 416 it continues at the offset in the Ack, the end of the file, and considers the upload complete
 * (MC-BUP 3.1.5.1.4, 3.1.5.1.7). It attributes a 407 to its proxy. An application that responds with one of them does not
 * want the file.
 */
const STEERING: ReadonlySet<number> = new Set([407, 413, 416])

/** Sent instead: as after most 4xx, the client gives up and reports the error (Win32 Handling Server Application Errors). */
const REFUSAL = 400

/**
 * The error a client receives when the application fails: the status the application chose, or 500 + 0x80004005, with
 * context 0x7 (MC-BUP 3.2.5.1.3). 407, 413 and 416 are sent as 400 (D37), and so is a 401 without a challenge, to which
 * the client cannot respond.
 */
export function applicationError(error: unknown): BitsError {
  const { code, status: chosen, hresult, headers, message } = toBitsError(error)
  const wasChosen = error instanceof BitsError || code === 'custom'
  if (!wasChosen) return new BitsError('application-failed', message, { cause: error })
  const isSteering = STEERING.has(chosen) || (chosen === 401 && !hasChallenge(headers))
  if (error instanceof BitsError && error.context === 0x7 && !isSteering) return error
  const status = isSteering ? REFUSAL : chosen
  const why = isSteering ? `${message} (the application's ${chosen}, sent as ${status})` : message
  // The HRESULT of a status changes with the status: a client may use either.
  const own = hresult === hresultOfStatus(chosen) ? undefined : hresult
  const condition = { status, headers, context: 0x7 as const, ...(own === undefined ? {} : { hresult: own }) }
  return new BitsError(condition, why, { cause: error })
}

const hasChallenge = (headers: Readonly<Record<string, string>>): boolean =>
  Object.keys(headers).some((name) => name.toLowerCase() === 'www-authenticate')
