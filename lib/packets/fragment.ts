import type { Ack, FragmentPacket } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { rangeLength } from '../protocol/content-range.js'
import { HEADER } from '../protocol/headers.js'
import { replyUrlAt } from '../protocol/reply-url.js'
import { type LockedSession, lockSession, tryLockSession } from '../sessions/lock-session.js'
import { hasEnded } from '../sessions/record.js'
import type { PacketContext, UploadService } from './context.js'
import { type FragmentContext, type StagingOutcome, stageFragment } from './stage-fragment.js'
import { whileConnected } from './while-connected.js'

/**
 * Fragment: stages its bytes, and delivers the file if they were the last ones (MC-BUP 3.2.5.2.6, 3.2.5.1.2). Whether
 * the file is complete is checked before the offset (D7, D9); bytes received before are skipped (D2).
 */
export async function fragment(
  packet: FragmentPacket,
  context: PacketContext,
  service: UploadService,
): Promise<Ack> {
  const { sessions, deliveries } = service
  const { maxFragmentSize } = service.settings
  if (rangeLength(packet.range) > maxFragmentSize) {
    throw new BitsError('fragment-too-large', `The fragment has more than ${maxFragmentSize} bytes.`)
  }
  const idle = await tryLockSession(context.uploadId, context, sessions, context.req.socket)
  if (idle) return receive(packet, idle, context, service)

  const { uploadId } = await sessions.find(context.uploadId, context)
  // A retry while the file is being delivered shares that delivery: it must not start a second one (D31).
  const running = deliveries.running(uploadId)
  if (running) {
    context.req.resume()
    return complete(await running, context, service)
  }
  const connection = context.req.socket
  const lock = (disconnected: AbortSignal) => lockSession(uploadId, sessions, { connection, disconnected })
  return receive(packet, await whileConnected(context.req, lock), context, service)
}

async function receive(
  packet: FragmentPacket,
  { record: found, lease }: LockedSession,
  context: PacketContext,
  service: UploadService,
): Promise<Ack> {
  try {
    const record = checkTotal(found, packet.range.total)
    if (record.state === 'published') {
      await service.sessions.touch(record)
      return complete(record, context, service)
    }
    const intake = { packet, record, lease, context, service }
    const outcome = found.total === undefined ? await stageFirstFragment(intake) : await stageFragment(intake)
    if ('published' in outcome) return complete(outcome.published, context, service)
    return outcome.received < packet.range.first ? outOfSync(outcome.received) : received(outcome.received)
  } finally {
    await lease.release()
  }
}

/** The first fragment sets the total; all others must repeat it (MC-BUP 2.2.1.2). */
function checkTotal(record: SessionRecord, total: number): SessionRecord & { total: number } {
  if (hasEnded(record)) throw new BitsError('session-not-found', `Session ${record.uploadId} has ended.`)
  if (record.total !== undefined && record.total !== total) {
    throw new BitsError('total-changed', `The total changed from ${record.total} to ${total} bytes.`)
  }
  return { ...record, total }
}

/**
 * The first fragment: its total is recorded before its bytes are received, because after a failure the session must
 * not look like that of an empty file (D16). If the whole file has arrived with it, the delivery records the total
 * together with its success; it is recorded here only after a failure.
 */
async function stageFirstFragment(intake: FragmentContext): Promise<StagingOutcome> {
  const { packet, record, context, service } = intake
  const { uploadId, total } = record
  const isWholeFile = rangeLength(packet.range) === total && context.req.complete
  if (!isWholeFile) {
    await service.sessions.change(uploadId, { total })
    return stageFragment(intake)
  }
  const saveTotal = () => service.sessions.change(uploadId, { total })
  let outcome: StagingOutcome
  try {
    outcome = await stageFragment(intake)
  } catch (error) {
    // The client receives the first error.
    await saveTotal().catch(() => {})
    throw error
  }
  if ('received' in outcome) await saveTotal()
  return outcome
}

const received = (offset: number): Ack => ({
  status: 200,
  headers: { [HEADER.receivedContentRange]: String(offset) },
})

/** The file is complete. Every Ack that says so includes the URL of the reply, if there is one (D9, D15). */
function complete(
  { total = 0, replyUrl }: SessionRecord,
  { req, origin }: PacketContext,
  { settings: { hostId } }: UploadService,
): Ack {
  const { status, headers } = received(total)
  if (replyUrl === undefined) return { status, headers }
  const url =
    hostId === undefined ? replyUrl : replyUrlAt(`${origin.protocol}://${hostId}`, req.originalUrl, replyUrl)
  return { status, headers: { ...headers, [HEADER.replyUrl]: url } }
}

/** A gap: the Ack contains the offset at which the client continues (MC-BUP 3.2.5.2.6). No error headers (D1). */
const outOfSync = (offset: number): Ack => ({
  status: 416,
  headers: { [HEADER.receivedContentRange]: String(offset) },
})
