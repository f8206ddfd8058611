import type { Request } from 'express'
import type { SessionRecord } from '../../types/session.js'
import type { RequestContext, UploadService } from '../packets/context.js'
import { BitsError } from '../protocol/bits-error.js'
import { HEADER } from '../protocol/headers.js'
import { hasEnded } from '../sessions/record.js'
import { uploadOf } from '../sessions/sessions.js'
import { failedAdapter } from '../util/adapter-failure.js'
import { admit } from './admit.js'
import type { PacketHead } from './read-packet.js'

/**
 * Every Ack of a fragment contains the offset at which to continue, even in an error (MC-BUP 2.2.7.2): the bytes
 * received, and 0 for a session that this client does not have. When the offset cannot be determined for another
 * reason, it is omitted: a client that receives 0 by mistake starts over.
 * @param failure the error to be sent.
 */
export async function offsetHeader(
  req: Request,
  head: PacketHead,
  context: RequestContext | undefined,
  service: UploadService,
  failure: unknown,
): Promise<Record<string, string>> {
  if (head.type !== 'Fragment') return {}
  // The store has just failed; calling it again would only make the client wait.
  if (failedAdapter(failure) === 'session store') return {}
  try {
    const offset = await receivedBytes(req, head, context, service, failure)
    return offset === undefined ? {} : { [HEADER.receivedContentRange]: String(offset) }
  } catch (error) {
    service.settings.logger.warn(`BITS upload: an error Ack is sent without an offset: ${String(error)}`)
    return {}
  }
}

async function receivedBytes(
  req: Request,
  head: PacketHead,
  known: RequestContext | undefined,
  service: UploadService,
  failure: unknown,
): Promise<number | undefined> {
  if (isSessionNotFound(failure)) return 0
  const context = known ?? (await admitted(req, head, service))
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
    if (isSessionNotFound(error)) return undefined
    throw error
  }
}

const isSessionNotFound = (error: unknown): boolean =>
  error instanceof BitsError && error.code === 'session-not-found'

/** A malformed packet fails before its sender is authorized, so that is done here. */
async function admitted(
  req: Request,
  head: PacketHead,
  service: UploadService,
): Promise<RequestContext | undefined> {
  const wasRefused = req.bits !== undefined
  return wasRefused ? undefined : admit(req, 'Fragment', head, service).catch(() => undefined)
}
