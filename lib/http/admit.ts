import type { Request } from 'express'
import type { PacketType } from '../../types/packets.js'
import { checkUser } from '../options/checks.js'
import type { ServerSettings } from '../options/upload-options.js'
import type { RequestContext, UploadService } from '../packets/context.js'
import { BitsError } from '../protocol/bits-error.js'
import { parseDestination } from '../protocol/destination.js'
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
  await refuseDisabled(req, settings)
  const path = `${req.baseUrl ?? ''}/${destination}`
  // A session id authorizes a client to continue its own session, and no other. A Ping's is ignored (D6).
  const continues = packet !== 'Create-Session' && packet !== 'Ping'
  if (settings.trustSessionId && continues && uploadId !== undefined) {
    const record = await service.sessions.store.get(uploadId)
    if (record?.path === path) return { req, uploadId, destination, path, user: record.user }
  }
  if (!(await settings.authorize(req, destination))) {
    throw new BitsError('access-denied', `The option authorize refused "${destination}".`)
  }
  const user = checkUser(await settings.user(req))
  return { req, uploadId, destination, path, user }
}

async function refuseDisabled(req: Request, { enabled }: ServerSettings): Promise<void> {
  if (typeof enabled === 'function' ? await enabled(req) : enabled) return
  throw new BitsError('uploads-disabled', 'The option enabled turns uploads off.')
}
