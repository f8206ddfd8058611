import type { CancelResult } from '../../types/events.js'
import type { SessionRecord } from '../../types/session.js'
import { BitsError } from '../protocol/bits-error.js'
import { isUploadId } from '../protocol/session-id.js'
import { discardRemains } from '../sessions/discard-remains.js'
import { hasEnded } from '../sessions/record.js'
import { PreemptedError, type SessionLease } from '../sessions/session-lock.js'
import { type Sessions, uploadOf } from '../sessions/sessions.js'
import type { UploadService } from './context.js'

/** Stands for the connection of the operator: cancellations of one session wait for each other. */
const OPERATOR = {}
/** Attempts to lock a session whose client keeps sending newer requests. */
const MAX_ATTEMPTS = 10

/**
 * Cancels an upload for the operator. A fragment that is being received stops; a delivery in progress finishes first, so
 * that a file is published completely or not at all.
 *
 * @throws BitsError `session-busy` when another process does not release the session.
 */
export async function cancelUpload(
  uploadId: string,
  services: readonly UploadService[],
): Promise<CancelResult> {
  // Only ids may reach a store: it may use them as file names.
  if (!isUploadId(uploadId)) return 'not-found'
  for (const service of services) {
    await service.housekeeping.ready()
    if (await service.sessions.store.get(uploadId)) return cancelWithLock(uploadId, service)
  }
  return 'not-found'
}

async function cancelWithLock(uploadId: string, service: UploadService): Promise<CancelResult> {
  const lease = await lockUpload(uploadId, service.sessions)
  try {
    // The sweep may have removed the session while this waited for its lock.
    const record = await service.sessions.store.get(uploadId)
    if (!record || record.state === 'closed') return 'not-found'
    if (record.state === 'published') return 'published'
    if (!hasEnded(record)) await end(record, service)
    return 'cancelled'
  } finally {
    await lease.release()
  }
}

/** A newer packet of the client takes precedence over a waiting request, but not over the operator. */
async function lockUpload(uploadId: string, sessions: Sessions): Promise<SessionLease> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sessions.locks.acquire(uploadId, { connection: OPERATOR })
    } catch (error) {
      if (!(error instanceof PreemptedError)) throw error
      if (attempt === MAX_ATTEMPTS) {
        throw new BitsError('session-busy', `The client of session ${uploadId} keeps sending packets.`)
      }
    }
  }
}

/** The record first: a store with locks refuses a change by a process that has lost its lock. */
async function end(record: SessionRecord, service: UploadService): Promise<void> {
  const { sessions, storage, emit } = service
  const received = await storage.received(uploadOf(record))
  const ended = await sessions.end(record.uploadId, 'cancelled')
  await discardRemains(record, service)
  emit('cancelled', sessions.info(ended, received))
}
