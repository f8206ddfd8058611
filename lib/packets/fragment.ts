import type { Ack, FragmentPacket } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { rangeLength } from '../protocol/content-range.js'
import { HEADER } from '../protocol/headers.js'
import { replyUrlAt } from '../protocol/reply-url.js'
import { type LockedSession, lockSession, tryLockSession } from '../sessions/lock-session.js'
import { hasEnded } from '../sessions/record.js'
import type { PacketContext, UploadService } from './context.js'
import { type FragmentContext, type Outcome, stageFragment } from './stage-fragment.js'
import { whileConnected } from './while-connected.js'

/**
 * Fragment: stages its bytes, and delivers the file when they were the last (MC-BUP 3.2.5.2.6, 3.2.5.1.2).
 * "Complete?" is asked before "right offset?" (D7, D9); bytes that are held already are skipped (D2).
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
    return outcome.held < packet.range.first ? outOfSync(outcome.held) : received(outcome.held)
  } finally {
    await lease.release()
  }
}

/** The first fragment names the total, all others must name it again (MC-BUP 2.2.1.2). */
function checkTotal(record: SessionRecord, total: number): SessionRecord & { total: number } {
  if (hasEnded(record)) throw new BitsError('session-not-found', `Session ${record.uploadId} has ended.`)
  if (record.total !== undefined && record.total !== total) {
    throw new BitsError('total-changed', `The total was ${record.total} bytes, and is ${total} now.`)
  }
  return { ...record, total }
}

/**
 * The first fragment: its total is noted before its bytes are received, as no failure may leave a session looking like
 * an empty file's (D16). When the whole file has come in it already, the delivery notes the total along with its
 * success, and only a failure has it noted here.
 */
async function stageFirstFragment(intake: FragmentContext): Promise<Outcome> {
  const { packet, record, context, service } = intake
  const { uploadId, total } = record
  const isWholeFile = rangeLength(packet.range) === total && context.req.complete
  if (!isWholeFile) {
    await service.sessions.change(uploadId, { total })
    return stageFragment(intake)
  }
  const noteTotal = () => service.sessions.change(uploadId, { total })
  let outcome: Outcome
  try {
    outcome = await stageFragment(intake)
  } catch (error) {
    // What failed first is what the client is told.
    await noteTotal().catch(() => {})
    throw error
  }
  if ('held' in outcome) await noteTotal()
  return outcome
}

const received = (offset: number): Ack => ({
  status: 200,
  headers: { [HEADER.receivedContentRange]: String(offset) },
})

/** The file is complete. Every Ack that says so names the reply, when there is one (D9, D15). */
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

/** A gap: the client is told where to go on (MC-BUP 3.2.5.2.6). No error headers (D1). */
const outOfSync = (held: number): Ack => ({
  status: 416,
  headers: { [HEADER.receivedContentRange]: String(held) },
})
