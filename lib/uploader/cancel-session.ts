import { BitsClientError } from './client-error.js'
import type { SendPacket } from './packet.js'
import { reactionTo } from './retry-policy.js'
import { sleep } from './sleep.js'

const ATTEMPTS = 3
const DELAY = 250

/** Milliseconds that each attempt may take: a user who cancels does not want to wait. */
export const CANCEL_TIMEOUT = 5000

/**
 * Sends Cancel-Session, with a few attempts (Win32 ack-for-cancel-session). A session that the server does not know
 * counts as cancelled.
 *
 * @param send gives up after {@link CANCEL_TIMEOUT}, and is not aborted by the signal that led here.
 * @throws BitsClientError when the server refuses, or cannot be reached within some seconds.
 */
export async function sendCancelSession(send: SendPacket, url: URL, sessionId: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await send(url, { type: 'Cancel-Session', sessionId, length: 0 })
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
