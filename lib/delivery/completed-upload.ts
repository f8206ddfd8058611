import type { Readable } from 'node:stream'
import type { Request } from 'express'
import type { CompletedUpload } from '../../types/delivery.js'
import type { SessionRecord } from '../../types/session.js'
import type { StorageAdapter } from '../../types/storage.js'
import type { ServerSettings } from '../options/upload-options.js'
import { type Sessions, uploadOf } from '../sessions/sessions.js'
import { defined } from '../util/objects.js'
import type { RequestOrigin } from '../util/request-origin.js'
import { fileDigestOf } from './file-digest-of.js'

/** The request that brought an upload's last byte, or closed an empty one. */
export interface CompletedRequest {
  readonly record: SessionRecord
  /** As the client sent it. */
  readonly sessionId: string
  readonly req: Request
  readonly origin: RequestOrigin
  /** Aborts when another process may have taken the session. */
  readonly lost: AbortSignal
}

/** The application's decision: whether to publish, and its reply, which is stored already or has a static URL. */
export interface DeliveryResult {
  readonly publish: boolean
  /** URL of the reply as sent to the client; `undefined` when there is no reply. */
  readonly replyUrl: string | undefined
}

/** Notifies an application about an upload. Rejects with a `BitsError` of context 0x7 if it refuses or fails. */
export type DeliverToApplication = (
  completed: CompletedRequest,
  context: DeliveryContext,
) => Promise<DeliveryResult>

/** Context of a delivery. */
export interface DeliveryContext {
  readonly storage: StorageAdapter
  readonly sessions: Sessions
  readonly settings: Pick<ServerSettings, 'overwrite' | 'hash'>
}

/**
 * An upload as an application sees it.
 *
 * @param streams receives each stream that the application opens: one that is not read to its end keeps a file open.
 */
export function completedUpload(
  { record, lost }: CompletedRequest,
  { storage, sessions, settings }: DeliveryContext,
  streams: Set<Readable>,
): CompletedUpload {
  const upload = uploadOf(record)
  const size = record.total ?? 0
  const path = storage.path?.(upload)
  return {
    session: sessions.info(record, size),
    destination: record.destination,
    size,
    ...(path === undefined ? {} : { path }),
    ...defined({ digest: fileDigestOf(record, settings) }),
    signal: lost,
    read: () => {
      const stream = storage.read(upload)
      streams.add(stream)
      return stream
    },
  }
}
