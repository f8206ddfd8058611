import type { Ack } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../errors.js'
import { hasEnded } from '../sessions/has-ended.js'
import { takeFound, takeIdle } from '../sessions/take-session.js'
import type { Exchange, Service } from './exchange.js'

/**
 * What Close-Session and Cancel-Session share: a repeated end of the same kind is answered 200 again (D10), and a
 * delivery under way comes to its end first.
 *
 * @param state how the session ends.
 * @param end what is to be done with a session that is still going on.
 */
export async function endSession(
  state: 'closed' | 'cancelled',
  exchange: Exchange,
  service: Service,
  end: (record: SessionRecord) => Promise<void>,
): Promise<Ack> {
  const { sessions } = service
  // A client that has gone meanwhile meant it all the same, and may never come back.
  const { record, lease } =
    (await takeIdle(exchange.session, exchange, sessions)) ??
    (await takeFound((await sessions.find(exchange.session, exchange)).key, sessions))
  const { key } = record
  try {
    if (hasEnded(record) && record.state !== state) {
      throw new BitsError('session-not-found', `Session ${key} was ${record.state} before.`)
    }
    if (!hasEnded(record)) {
      await end(record)
      await sessions.end(key, state)
    }
    return { status: 200, headers: {} }
  } finally {
    await lease.release()
  }
}
