import type { Request } from 'express'
import type { RequestContext, UploadService } from '../packets/context.js'
import { HEADER } from '../protocol/headers.js'
import { hasEnded } from '../sessions/record.js'
import { uploadOf } from '../sessions/sessions.js'
import { admit } from './admit.js'
import { packetTypeOf } from './read-packet.js'

/**
 * Every Ack of a fragment says where to go on, a refusal too (MC-BUP 2.2.7.2): what the storage holds, and 0 for a
 * session that is unknown to this client.
 */
export async function offsetHeader(
  req: Request,
  context: RequestContext | undefined,
  service: UploadService,
): Promise<Record<string, string>> {
  if (packetTypeOf(req) !== 'Fragment') return {}
  try {
    return { [HEADER.receivedContentRange]: String(await heldBytes(req, context, service)) }
  } catch (error) {
    service.settings.logger.warn(`BITS upload: an error Ack goes without an offset: ${String(error)}`)
    return {}
  }
}

async function heldBytes(
  req: Request,
  known: RequestContext | undefined,
  service: UploadService,
): Promise<number> {
  const context = known ?? (await admitted(req, service))
  const record = context && (await service.sessions.find(context.uploadId, context).catch(() => undefined))
  if (!record || hasEnded(record)) return 0
  return record.state === 'receiving' ? service.storage.received(uploadOf(record)) : (record.total ?? 0)
}

/** A packet that breaks the message rules fails before its sender is admitted: that is made up for here. */
async function admitted(req: Request, service: UploadService): Promise<RequestContext | undefined> {
  const wasRefused = req.bits !== undefined
  return wasRefused ? undefined : admit(req, 'Fragment', service).catch(() => undefined)
}
