import { hresultOfStatus } from '../protocol/hresult.js'
import { BitsClientError } from '../uploader/client-error.js'
import type { ClientSettings } from './settings.js'
import { speaksTls } from './transport/speaks-tls.js'

/**
 * Finds out whether the first request failed because it was sent without TLS to a port that speaks it: such servers hang
 * up, or answer with a 400 of their own.
 *
 * @returns the error to report in place of `error`; `undefined` when that is not the reason.
 */
export async function wrongScheme(
  error: BitsClientError,
  { url, agent }: ClientSettings,
): Promise<BitsClientError | undefined> {
  // An agent of the caller's may lead anywhere, to a proxy for example.
  if (url.protocol !== 'http:' || agent !== undefined) return undefined
  const bare400 = error.status === 400 && error.hresult === hresultOfStatus(400)
  if (!error.connectionLost && !bare400) return undefined
  if (!(await speaksTls(url))) return undefined
  const { packet, status, hresult } = error
  const message = `No response to ${packet} from ${url.host}: this port speaks TLS. Use https: in the URL.`
  return new BitsClientError(message, { packet, status, hresult, fatal: true, cause: error })
}
