import type { FragmentPacket } from '../../types/packets.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import type { SessionLease } from '../sessions/session-lock.js'
import { uploadOf } from '../sessions/sessions.js'
import { allowReleaseOf } from '../util/release-chunks.js'
import type { PacketContext, UploadService } from './context.js'
import { hashWhileStaging } from './hash-while-staging.js'
import { skipBytes } from './skip-bytes.js'
import { watchProgress } from './watch-progress.js'

/** A Fragment, with the lock on its session. */
export interface FragmentContext {
  readonly packet: FragmentPacket
  readonly record: SessionRecord & { readonly total: number }
  readonly lease: SessionLease
  readonly context: PacketContext
  readonly service: UploadService
}

/** The published session, or the offset at which the client continues. */
export type StagingOutcome = { readonly published: SessionRecord } | { readonly received: number }

/**
 * Stages the bytes of a fragment that were not received before, as far as the storage knows (D2), and delivers the file
 * when it is complete.
 * @throws BitsError `upload-too-large`, and those of the delivery.
 * @throws Error if the storage did not store what it was passed.
 */
export async function stageFragment(intake: FragmentContext): Promise<StagingOutcome> {
  const { packet, record, lease, context, service } = intake
  const { storage, sessions, deliveries } = service
  const { maxUploadSize } = service.settings
  const { range, sessionId } = packet
  if (range.total > maxUploadSize) {
    throw new BitsError(
      'upload-too-large',
      `The file has ${range.total} bytes; at most ${maxUploadSize} are allowed.`,
    )
  }
  const before = await storage.received(uploadOf(record), range.first)
  if (range.first > before) return { received: before }
  const received = range.last < before ? before : await stage(intake, before)
  if (received >= range.total) {
    const { req, origin } = context
    return {
      published: await deliveries.deliver({ record, sessionId, req, origin, lost: lease.lost }, service),
    }
  }
  await sessions.touch(record, received)
  return { received }
}

/** @returns the number of bytes staged afterwards. */
async function stage(
  { packet: { range }, record, lease, context, service }: FragmentContext,
  before: number,
): Promise<number> {
  const { req } = context
  const stopWatching = watchProgress(req, range, before, record, service)
  // Destroying the request also stops an adapter that does not watch its signal.
  const abort = () => req.destroy()
  lease.signal.addEventListener('abort', abort, { once: true })
  if (lease.signal.aborted) abort()
  try {
    allowReleaseOf(req)
    const body = skipBytes(service.bandwidth.limit(req), before - range.first)
    const hashing = hashWhileStaging(body, before, record, service)
    const length = await service.storage.append(uploadOf(record), before, hashing.body, lease.signal)
    hashing.staged(length)
    stopWatching(length)
    // Node also destroys a request that was read to its end.
    const wasCut = lease.signal.aborted || (req.destroyed && !req.readableEnded)
    const end = range.last + 1
    if (length !== end && !(wasCut && length < end)) {
      throw new Error(`The storage holds ${length} bytes after an append that ends at ${end}.`)
    }
    return length
  } finally {
    lease.signal.removeEventListener('abort', abort)
    stopWatching()
  }
}
