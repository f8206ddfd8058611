import { reactionTo } from './retry-policy.js'
import { sleep } from './sleep.js'
import { BitsClientError } from './transport/client-error.js'
import type { CommonHeaders } from './transport/packet-headers.js'
import { sendPacket } from './transport/send-packet.js'
import type { RequestOptions } from './transport/send-request.js'

const ATTEMPTS = 3
/** Milliseconds: who cancels does not want to wait. */
const TIMEOUT = 5000
const DELAY = 250

/**
 * Sends Cancel-Session, a few times if need be (Win32 ack-for-cancel-session). A session that the server does not know
 * is cancelled enough.
 *
 * @throws BitsClientError when the server refuses, or cannot be told within some seconds.
 */
export async function cancelSession(
  line: RequestOptions,
  url: URL,
  sessionId: string,
  common: CommonHeaders,
): Promise<void> {
  const { signal: _aborted, ...rest } = line
  const quick: RequestOptions = {
    ...rest,
    sendTimeout: Math.min(TIMEOUT, line.sendTimeout),
    responseTimeout: Math.min(TIMEOUT, line.responseTimeout),
  }
  for (let attempt = 1; ; attempt++) {
    try {
      await sendPacket(quick, url, { type: 'Cancel-Session', sessionId, length: 0 }, common)
      return
    } catch (error) {
      if (!(error instanceof BitsClientError)) throw error
      const gone = !error.fatal && reactionTo(error) === 'give-up'
      if (gone) return
      if (error.fatal || attempt === ATTEMPTS) throw error
      await sleep(DELAY * attempt, undefined)
    }
  }
}
