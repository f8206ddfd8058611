import type { Request } from 'express'
import type { SessionRecord } from '../../types/session.js'
import type { RequestContext, UploadService } from '../packets/context.js'
import { BitsError } from '../protocol/bits-error.js'
import { HEADER } from '../protocol/headers.js'
import { hasEnded } from '../sessions/record.js'
import { uploadOf } from '../sessions/sessions.js'
import { failedAdapter } from '../util/adapter-failure.js'
import { admit } from './admit.js'
import { packetTypeOf } from './read-packet.js'

/**
 * Every Ack of a fragment says where to continue, a refusal too (MC-BUP 2.2.7.2): what the storage holds, and 0 for a
 * session that this client does not have. After any other failure to find out there is no offset: a client that is told
 * 0 by mistake starts over.
 *
 * @param failure what the packet is refused for.
 */
export async function offsetHeader(
  req: Request,
  context: RequestContext | undefined,
  service: UploadService,
  failure: unknown,
): Promise<Record<string, string>> {
  if (packetTypeOf(req) !== 'Fragment') return {}
  // Asking a store again that has just failed would only make the client wait.
  if (failedAdapter(failure) === 'session store') return {}
  try {
    const offset = await receivedBytes(req, context, service, failure)
    return offset === undefined ? {} : { [HEADER.receivedContentRange]: String(offset) }
  } catch (error) {
    service.settings.logger.warn(`BITS upload: an error Ack is sent without an offset: ${String(error)}`)
    return {}
  }
}

async function receivedBytes(
  req: Request,
  known: RequestContext | undefined,
  service: UploadService,
  failure: unknown,
): Promise<number | undefined> {
  if (isNotFound(failure)) return 0
  const context = known ?? (await admitted(req, service))
  const record = context && (await find(context, service))
  if (!record) return context && 0
  if (hasEnded(record)) return 0
  return record.state === 'receiving' ? service.storage.received(uploadOf(record)) : (record.total ?? 0)
}

async function find(
  context: RequestContext,
  { sessions }: UploadService,
): Promise<SessionRecord | undefined> {
  try {
    return await sessions.find(context.uploadId, context)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

const isNotFound = (error: unknown): boolean =>
  error instanceof BitsError && error.code === 'session-not-found'

/** A packet that breaks the message rules fails before its sender is authorized: that is made up for here. */
async function admitted(req: Request, service: UploadService): Promise<RequestContext | undefined> {
  const wasRefused = req.bits !== undefined
  return wasRefused ? undefined : admit(req, 'Fragment', service).catch(() => undefined)
}
