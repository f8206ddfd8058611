import { BitsError, toBitsError } from '../errors.js'

/**
 * What a client is told when the application fails: the status it chose, or 500 + 0x80004005, with context 0x7
 * (MC-BUP 3.2.5.1.3).
 */
export function applicationError(error: unknown): BitsError {
  const { code, status, hresult, headers, message } = toBitsError(error)
  // A status that is none, or no failure's, would tell the client what is not so.
  const isFailure = status >= 300 && status <= 599
  const wasChosen = isFailure && (error instanceof BitsError || code === 'custom')
  if (wasChosen && error instanceof BitsError && error.context === 0x7) return error
  if (!wasChosen) return new BitsError('application-failed', message, { cause: error })
  const condition = { status, headers, context: 0x7 as const, ...(hresult === undefined ? {} : { hresult }) }
  return new BitsError(condition, message, { cause: error })
}
