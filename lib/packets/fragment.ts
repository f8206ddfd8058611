import type { Ack, ContentRange, FragmentPacket } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../errors.js'
import { rangeLength } from '../protocol/content-range.js'
import { HEADER } from '../protocol/headers.js'
import { hasEnded } from '../sessions/has-ended.js'
import type { SessionLease } from '../sessions/session-lock.js'
import { uploadOf } from '../sessions/sessions.js'
import { type TakenSession, takeFound, takeIdle } from '../sessions/take-session.js'
import type { Exchange, Service } from './exchange.js'
import { skipBytes } from './skip-bytes.js'
import { watchProgress } from './watch-progress.js'
import { whileConnected } from './while-connected.js'

/**
 * Fragment: stages its bytes, and delivers the file when they were the last (MC-BUP 3.2.5.2.6, 3.2.5.1.2).
 * "Complete?" is asked before "right offset?" (D7, D9); bytes that are held already are skipped (D2).
 */
export async function fragment(packet: FragmentPacket, exchange: Exchange, service: Service): Promise<Ack> {
  const { sessions, deliveries, maxFragmentSize } = service
  if (rangeLength(packet.range) > maxFragmentSize) {
    throw new BitsError('fragment-too-large', `The fragment has more than ${maxFragmentSize} bytes.`)
  }
  const idle = await takeIdle(exchange.session, exchange, sessions)
  if (idle) return receive(packet, idle, exchange, service)

  const { key } = await sessions.find(exchange.session, exchange)
  // A retry while the file is being delivered shares that delivery: it must not start a second one (D31).
  const running = deliveries.running(key)
  if (running) {
    exchange.req.resume()
    return complete(await running)
  }
  const take = (connected: AbortSignal) => takeFound(key, sessions, connected)
  return receive(packet, await whileConnected(exchange.req, take), exchange, service)
}

async function receive(
  packet: FragmentPacket,
  { record: found, lease }: TakenSession,
  exchange: Exchange,
  service: Service,
): Promise<Ack> {
  const { total } = packet.range
  try {
    const record = agreeOnTotal(found, total)
    if (record.state === 'published') {
      await service.sessions.touch(record)
      return complete(record)
    }
    const take = () => takeBytes(packet, record, lease, exchange, service)
    const outcome =
      found.total === undefined
        ? await noteTotal(record, packet.range, exchange, service, take)
        : await take()
    if (typeof outcome === 'object') return complete(outcome)
    return outcome < packet.range.first ? outOfSync(outcome) : received(outcome)
  } finally {
    await lease.release()
  }
}

/** A session that is published now, or else the offset to go on from. */
type Outcome = SessionRecord | number

/** The first fragment names the total, all others must name it again (MC-BUP 2.2.1.2). */
function agreeOnTotal(record: SessionRecord, total: number): SessionRecord & { total: number } {
  if (hasEnded(record)) throw new BitsError('session-not-found', `Session ${record.key} has ended.`)
  if (record.total !== undefined && record.total !== total) {
    throw new BitsError('total-changed', `The total was ${record.total} bytes, and is ${total} now.`)
  }
  return { ...record, total }
}

/**
 * Notes the total before the bytes are received: no failure may leave a session looking like an empty file's (D16).
 * When the whole file has come in this one fragment already, its delivery notes the total along with its success.
 */
async function noteTotal(
  { key }: SessionRecord,
  range: ContentRange,
  { req }: Exchange,
  { sessions }: Service,
  take: () => Promise<Outcome>,
): Promise<Outcome> {
  const { total } = range
  if (rangeLength(range) < total || !req.complete) {
    await sessions.change(key, { total })
    return take()
  }
  let outcome: Outcome | undefined
  try {
    outcome = await take()
    return outcome
  } finally {
    if (typeof outcome !== 'object') await sessions.change(key, { total })
  }
}

async function takeBytes(
  { range, sessionId }: FragmentPacket,
  record: SessionRecord,
  lease: SessionLease,
  exchange: Exchange,
  service: Service,
): Promise<Outcome> {
  const { storage, sessions, deliveries, maxUploadSize } = service
  const { total } = range
  if (total > maxUploadSize) {
    throw new BitsError('upload-too-large', `The file has ${total} bytes; ${maxUploadSize} are allowed.`)
  }
  const held = await storage.received(uploadOf(record))
  if (range.first > held) return held
  const length = await stage(range, held, record, lease, exchange, service)
  if (length >= total) return deliveries.deliver({ record, sessionId, req: exchange.req }, service)
  await sessions.touch(record)
  return length
}

/** @returns the staged length afterwards. */
async function stage(
  range: ContentRange,
  held: number,
  record: SessionRecord,
  lease: SessionLease,
  exchange: Exchange,
  service: Service,
): Promise<number> {
  const end = range.last + 1
  if (end <= held) return held
  const upload = uploadOf(record)
  const stopWatching = watchProgress(exchange.req, range, held, record, service)
  // Destroying the request wakes an adapter that does not watch its signal.
  const giveWay = () => exchange.req.destroy()
  lease.signal.addEventListener('abort', giveWay, { once: true })
  if (lease.signal.aborted) giveWay()
  try {
    const body = service.bandwidth.limit(skipBytes(exchange.req, held - range.first))
    const length = await service.storage.append(upload, held, body, lease.signal)
    stopWatching(length)
    if (length !== end && !exchange.req.destroyed) {
      throw new Error(`The storage holds ${length} bytes after an append that ends at ${end}.`)
    }
    return length
  } finally {
    lease.signal.removeEventListener('abort', giveWay)
    stopWatching()
  }
}

const received = (offset: number): Ack => ({
  status: 200,
  headers: { [HEADER.receivedContentRange]: String(offset) },
})

/** The file is complete. Every Ack that says so names the reply, when there is one (D9, D15). */
const complete = ({ total = 0, replyUrl }: SessionRecord): Ack => {
  const { status, headers } = received(total)
  return { status, headers: replyUrl === undefined ? headers : { ...headers, [HEADER.replyUrl]: replyUrl } }
}

/** A gap: the client is told where to go on (MC-BUP 3.2.5.2.6). No error headers (D1). */
const outOfSync = (held: number): Ack => ({
  status: 416,
  headers: { [HEADER.receivedContentRange]: String(held) },
})
