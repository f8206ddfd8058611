import { hresultOfStatus } from '../protocol/hresult.js'
import { BitsClientError } from '../uploader/client-error.js'
import type { ClientSettings } from './settings.js'
import { speaksTls } from './transport/speaks-tls.js'

/**
 * Finds out whether the first request failed because it was sent without TLS to a port that speaks it: such servers
 * hang up, or answer with their own 400.
 *
 * @returns the error to report instead of `error`; `undefined` if that is not the reason.
 */
export async function wrongScheme(
  error: BitsClientError,
  { url, agent }: ClientSettings,
): Promise<BitsClientError | undefined> {
  // The caller's agent may connect elsewhere, for example to a proxy.
  if (url.protocol !== 'http:' || agent !== undefined) return undefined
  const bare400 = error.status === 400 && error.hresult === hresultOfStatus(400)
  if (!error.connectionLost && !bare400) return undefined
  if (!(await speaksTls(url))) return undefined
  const { packet, status, hresult } = error
  const message = `No response to ${packet} from ${url.host}: this port speaks TLS. Use https: in the URL.`
  return new BitsClientError(message, { packet, status, hresult, fatal: true, cause: error })
}
