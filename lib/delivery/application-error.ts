import { BitsError, toBitsError } from '../errors.js'

/**
 * What a client is told when the application fails: the status it chose, or 500 + 0x80004005, with context 0x7
 * (MC-BUP 3.2.5.1.3).
 */
export function applicationError(error: unknown): BitsError {
  if (error instanceof BitsError && error.context === 0x7) return error
  const { code, status, hresult, headers, message } = toBitsError(error)
  const wasChosen = error instanceof BitsError || code === 'custom'
  if (!wasChosen) return new BitsError('application-failed', message, { cause: error })
  const condition = { status, headers, context: 0x7 as const, ...(hresult === undefined ? {} : { hresult }) }
  return new BitsError(condition, message, { cause: error })
}
