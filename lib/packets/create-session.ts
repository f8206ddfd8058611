import type { Request } from 'express'
import type { Ack, CreateSessionPacket } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { maxSessionsOf } from '../options/settings.js'
import type { ServerSettings } from '../options/upload-options.js'
import { BitsError } from '../protocol/bits-error.js'
import { directoryError, namesDirectory } from '../protocol/destination.js'
import { BITS_UPLOAD_PROTOCOL } from '../protocol/guids.js'
import { HEADER } from '../protocol/headers.js'
import { uploadOf } from '../sessions/sessions.js'
import { defined } from '../util/objects.js'
import { originUrl } from '../util/request-origin.js'
import type { PacketContext, UploadService } from './context.js'

/**
 * Create-Session: always a new session (MC-BUP 3.2.5.2.4). The size of the file is not known yet. The destination is
 * checked here, so that no client uploads for days only to be refused.
 */
export async function createSession(
  packet: CreateSessionPacket,
  context: PacketContext,
  service: UploadService,
): Promise<Ack> {
  if (!packet.protocols.includes(BITS_UPLOAD_PROTOCOL)) {
    throw new BitsError('no-common-protocol', 'The client offers no supported protocol.')
  }
  const { destination } = context
  if (destination === '') throw mountPathError(context.req)
  if (namesDirectory(destination)) throw directoryError(destination)
  return service.newSessions.run(() => createNew(packet, context, service))
}

async function createNew(
  { expectedDigest }: CreateSessionPacket,
  context: PacketContext,
  service: UploadService,
): Promise<Ack> {
  const { destination } = context
  if ((await service.storage.has(destination)) && !service.settings.overwrite) {
    throw new BitsError('destination-taken', `There is a file at "${destination}", and overwriting is off.`)
  }
  const { path, user } = context
  const maxSessions = maxSessionsOf(user, service.settings)
  const { id, record } = await service.sessions.create(
    { destination, path, user, origin: originUrl(context.origin), ...defined({ expectedDigest }) },
    maxSessions,
  )
  await beginUpload(record, service)
  service.emit('session', service.sessions.info(record, 0))
  return {
    status: 200,
    headers: {
      [HEADER.protocol]: `{${BITS_UPLOAD_PROTOCOL}}`,
      [HEADER.sessionId]: id,
      ...hostHeaders(service.settings),
      'Accept-Encoding': 'identity',
    },
  }
}

/** An app that mounts the middleware with a wildcard leaves no path for the destination. */
function mountPathError({ baseUrl }: Request): BitsError {
  return new BitsError(
    'destination-is-directory',
    `The URL ${baseUrl || '/'} is the mount path itself, so it names no file. If it is the URL of a file, the mount path ` +
      "matches whole URLs: mount bitsUpload() at the directory, as in app.use('/uploads', bitsUpload()), without a wildcard.",
  )
}

/** Where the client continues if servers share no storage (MC-BUP 2.2.3.2, D25). */
function hostHeaders({ hostId, hostIdFallbackTimeout }: ServerSettings): Record<string, string> {
  if (hostId === undefined) return {}
  const timeout =
    hostIdFallbackTimeout === 0 ? {} : { [HEADER.hostIdFallbackTimeout]: String(hostIdFallbackTimeout) }
  return { [HEADER.hostId]: hostId, ...timeout }
}

async function beginUpload(record: SessionRecord, { storage, sessions }: UploadService): Promise<void> {
  try {
    await storage.begin(uploadOf(record))
  } catch (error) {
    await sessions.store.delete(record.uploadId)
    sessions.limit.free(record.uploadId)
    throw error
  }
}
