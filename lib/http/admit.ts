import type { Request } from 'express'
import type { Awaitable } from '../../types/awaitable.js'
import type { PacketType } from '../../types/packets.js'
import { checkUser } from '../options/checks.js'
import type { ServerSettings } from '../options/upload-options.js'
import type { RequestContext, UploadService } from '../packets/context.js'
import { BitsError } from '../protocol/bits-error.js'
import { parseDestination } from '../protocol/destination.js'
import { isPromise } from '../util/promises.js'
import type { PacketHead } from './read-packet.js'

/**
 * Identifies and authorizes the sender of a packet (MC-BUP 3.2.5.2.3).
 * @throws BitsError `destination-refused`, `uploads-disabled`, `access-denied`, and what `authorize` and `user`
 * throw.
 */
export async function admit(
  req: Request,
  packet: PacketType,
  { uploadId }: PacketHead,
  service: UploadService,
): Promise<RequestContext> {
  const { settings } = service
  const destination = parseDestination(req.url)
  req.bits = { packet, destination, uploadId }
  const enabled = isEnabled(req, settings)
  if (!(isPromise(enabled) ? await enabled : enabled)) {
    throw new BitsError('uploads-disabled', 'The option enabled disables uploads.')
  }
  const path = `${req.baseUrl ?? ''}/${destination}`
  // A session id authorizes a client to continue its own session, and no other. A Ping's is ignored (D6).
  const continues = packet !== 'Create-Session' && packet !== 'Ping'
  if (settings.trustSessionId && continues && uploadId !== undefined) {
    const record = await service.sessions.store.get(uploadId)
    if (record?.path === path) return { req, uploadId, destination, path, user: record.user }
  }
  const authorized = settings.authorize(req, destination)
  if (!(isPromise(authorized) ? await authorized : authorized)) {
    throw new BitsError('access-denied', `The option authorize refused "${destination}".`)
  }
  const named = settings.user(req)
  const user = checkUser(isPromise(named) ? await named : named)
  return { req, uploadId, destination, path, user }
}

const isEnabled = (req: Request, { enabled }: ServerSettings): Awaitable<boolean> =>
  typeof enabled === 'function' ? enabled(req) : enabled
