import type { FragmentPacket } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import type { SessionLease } from '../sessions/session-lock.js'
import { uploadOf } from '../sessions/sessions.js'
import type { PacketContext, UploadService } from './context.js'
import { skipBytes } from './skip-bytes.js'
import { watchProgress } from './watch-progress.js'

/** A Fragment whose session has been taken. */
export interface FragmentContext {
  readonly packet: FragmentPacket
  readonly record: SessionRecord & { readonly total: number }
  readonly lease: SessionLease
  readonly context: PacketContext
  readonly service: UploadService
}

/** A session that is published now, or else the offset to go on from. */
export type Outcome = { readonly published: SessionRecord } | { readonly held: number }

/**
 * Stages what a fragment has beyond the bytes that are held (D2), and delivers the file when nothing is missing any
 * more.
 *
 * @throws BitsError `upload-too-large`, and those of the delivery.
 * @throws Error when the storage does not hold what it was given.
 */
export async function stageFragment(intake: FragmentContext): Promise<Outcome> {
  const { packet, record, lease, context, service } = intake
  const { storage, sessions, deliveries } = service
  const { maxUploadSize } = service.settings
  const { range, sessionId } = packet
  if (range.total > maxUploadSize) {
    throw new BitsError(
      'upload-too-large',
      `The file has ${range.total} bytes; ${maxUploadSize} are allowed.`,
    )
  }
  const before = await storage.received(uploadOf(record))
  if (range.first > before) return { held: before }
  const held = range.last < before ? before : await stage(intake, before)
  if (held >= range.total) {
    const { req, origin } = context
    return {
      published: await deliveries.deliver({ record, sessionId, req, origin, lost: lease.lost }, service),
    }
  }
  await sessions.touch(record, held)
  return { held }
}

/** @returns the staged length afterwards. */
async function stage(
  { packet: { range }, record, lease, context, service }: FragmentContext,
  held: number,
): Promise<number> {
  const { req } = context
  const stopWatching = watchProgress(req, range, held, record, service)
  // Destroying the request wakes an adapter that does not watch its signal.
  const giveWay = () => req.destroy()
  lease.signal.addEventListener('abort', giveWay, { once: true })
  if (lease.signal.aborted) giveWay()
  try {
    const body = skipBytes(service.bandwidth.limit(req), held - range.first)
    const length = await service.storage.append(uploadOf(record), held, body, lease.signal)
    stopWatching(length)
    // Node destroys a request that was read to its end, too.
    const wasCut = lease.signal.aborted || (req.destroyed && !req.readableEnded)
    const end = range.last + 1
    if (length !== end && !(wasCut && length < end)) {
      throw new Error(`The storage holds ${length} bytes after an append that ends at ${end}.`)
    }
    return length
  } finally {
    lease.signal.removeEventListener('abort', giveWay)
    stopWatching()
  }
}
