import type { Request } from 'express'
import type { PacketType } from '../../types/packets.js'
import { checkUser } from '../options/checks.js'
import type { ServerSettings } from '../options/upload-options.js'
import type { RequestContext, UploadService } from '../packets/context.js'
import { BitsError } from '../protocol/bits-error.js'
import { parseDestination } from '../protocol/destination.js'
import { HEADER } from '../protocol/headers.js'
import { sessionKey } from '../protocol/session-id.js'

/**
 * Who sent a packet, whither, and may they? (MC-BUP 3.2.5.2.3)
 *
 * @throws BitsError `destination-refused`, `uploads-disabled`, `access-denied`, or whatever `authorize` and `user` throw.
 */
export async function admit(
  req: Request,
  packet: PacketType,
  service: UploadService,
): Promise<RequestContext> {
  const { settings } = service
  const destination = parseDestination(req.url)
  const session = sessionKey(req.get(HEADER.sessionId) ?? '')
  req.bits = { packet, destination, uploadId: session }
  await refuseDisabled(req, settings)
  const url = `${req.baseUrl ?? ''}/${destination}`
  // A session id proves who goes on with its session. It is none for another one, and a Ping's is not looked at (D6).
  const goesOn = packet !== 'Create-Session' && packet !== 'Ping'
  if (settings.trustSessionId && goesOn && session !== undefined) {
    const record = await service.sessions.store.get(session)
    if (record?.path === url) return { req, uploadId: session, destination, path: url, user: record.user }
  }
  if (!(await settings.authorize(req, destination))) {
    throw new BitsError('access-denied', `The option authorize refused "${destination}".`)
  }
  const user = checkUser(await settings.user(req))
  return { req, uploadId: session, destination, path: url, user }
}

async function refuseDisabled(req: Request, { enabled }: ServerSettings): Promise<void> {
  if (typeof enabled === 'function' ? await enabled(req) : enabled) return
  throw new BitsError('uploads-disabled', 'The option enabled says that no uploads are taken here.')
}
