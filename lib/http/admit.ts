import type { Request } from 'express'
import type { PacketType } from '../../types/packets.js'
import { BitsError } from '../errors.js'
import type { Settings } from '../options.js'
import type { Exchange } from '../packets/exchange.js'
import { HEADER } from '../protocol/headers.js'
import { sessionKey } from '../sessions/session-id.js'
import { destinationOf } from '../storage/destination.js'

/**
 * Who sent a packet, whither, and may they? (MC-BUP 3.2.5.2.3)
 *
 * @throws BitsError `destination-refused`, `access-denied`, or whatever `authorize` and `user` throw.
 */
export async function admit(req: Request, packet: PacketType, settings: Settings): Promise<Exchange> {
  const destination = destinationOf(req.url)
  req.bits = { packet, destination, session: sessionKey(req.get(HEADER.sessionId) ?? '') }
  if (!(await settings.authorize(req, destination))) {
    throw new BitsError('access-denied', `The option authorize refused "${destination}".`)
  }
  const user = await settings.user(req)
  return { req, destination, url: `${req.baseUrl ?? ''}/${destination}`, user }
}
