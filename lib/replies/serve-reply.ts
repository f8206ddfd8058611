import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Request, Response } from 'express'
import fresh from 'fresh'
import type { SessionRecord } from '../../types/session.js'
import type { StoredReply } from '../../types/storage.js'
import { maskName } from '../logging/mask.js'
import { checkUser } from '../options/checks.js'
import type { UploadService, UploadServices } from '../packets/context.js'
import { BitsError } from '../protocol/bits-error.js'
import { pathOf } from '../protocol/destination.js'
import { isStoredReplyUrl } from '../protocol/reply-url.js'
import { sessionKey } from '../protocol/session-id.js'
import { toBitsError } from '../protocol/to-bits-error.js'
import { uploadOf } from '../sessions/sessions.js'
import { asError, errorCode } from '../util/errors.js'
import { hostOf } from '../util/request-origin.js'
import { Multipart, rangeHeader, selectRanges } from './byte-ranges.js'
import { isCurrent, meetsPreconditions } from './preconditions.js'

const CONTENT_TYPE = 'application/octet-stream'

/**
 * Responds to GET and HEAD for a reply (MC-BUP 3.5.5), in full or in ranges, only for the user of the session.
 * @param sessionId as in the URL; `undefined` when the URL is not that of a reply, which is answered 404.
 */
export async function serveReply(
  sessionId: string | undefined,
  req: Request,
  res: Response,
  services: UploadServices,
): Promise<void> {
  let service = services.base
  try {
    if (services.closed) throw new BitsError('closing', 'bits.close() was called.')
    service = await services.of(req)
    await service.housekeeping.ready()
    const record = await findRecord(sessionId, req, service)
    const facts = await service.storage.statReply?.(uploadOf(record))
    if (!facts) throw missing()
    await sendReply(record, facts, req, res, service)
  } catch (error) {
    refuseReply(error, req, res, service)
  }
}

async function findRecord(
  sessionId: string | undefined,
  req: Request,
  service: UploadService,
): Promise<SessionRecord> {
  const uploadId = sessionKey(sessionId ?? '')
  const record = uploadId === undefined ? undefined : await service.sessions.store.get(uploadId)
  // The application serves static replies.
  if (!record?.replyUrl || !isStoredReplyUrl(record.replyUrl)) throw missing()
  if (!record.path.startsWith(`${req.baseUrl ?? ''}/`)) throw missing()
  const { authorize, user, trustSessionId } = service.settings
  if (trustSessionId) return record
  if (!(await authorize(req, record.destination)))
    throw new BitsError('access-denied', 'The option authorize refused access to the reply.')
  // For other users the reply does not exist.
  if (checkUser(await user(req)) !== record.user) throw missing()
  return record
}

async function sendReply(
  record: SessionRecord,
  { size, lastModified }: StoredReply,
  req: Request,
  res: Response,
  service: UploadService,
): Promise<void> {
  const read = (range: { start: number; end: number }) => {
    const body = service.storage.readReply?.(uploadOf(record), range)
    if (!body) throw new Error('The storage has statReply() but no readReply().')
    return body
  }
  const etag = `"${lastModified.getTime().toString(16)}-${size.toString(16)}"`
  res.set({
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'private, no-cache',
    'Content-Disposition': 'attachment',
    'Content-Location': contentLocation(req),
    'Last-Modified': lastModified.toUTCString(),
    'X-Content-Type-Options': 'nosniff',
    ETag: etag,
  })
  if (!meetsPreconditions(req, { etag, lastModified })) {
    res.status(412).set('Content-Length', '0').end()
    return
  }
  if (fresh(req.headers, { etag, 'last-modified': lastModified.toUTCString() })) {
    res.status(304).end()
    return
  }
  const requested =
    req.method === 'GET' && isCurrent(req, { etag, lastModified }) ? req.get('Range') : undefined
  const selection = selectRanges(requested, size)
  if (selection === 'none') {
    res
      .status(416)
      .set({ 'Content-Range': `bytes */${size}`, 'Content-Length': '0' })
      .end()
    return
  }
  const ranges = selection === 'all' ? [{ start: 0, end: size - 1 }] : selection
  const [only] = ranges
  if (ranges.length > 1 || only === undefined) {
    const parts = new Multipart(ranges, size, CONTENT_TYPE)
    res.status(206).set({ 'Content-Type': parts.contentType, 'Content-Length': String(parts.length) })
    await pipeline(Readable.from(parts.body(read), { objectMode: false }), res)
    return
  }
  res.set({ 'Content-Type': CONTENT_TYPE, 'Content-Length': String(only.end - only.start + 1) })
  if (selection !== 'all') res.status(206).set('Content-Range', rangeHeader(only, size))
  if (req.method === 'HEAD') {
    res.end()
    return
  }
  const body = read(only)
  // The session may end now: a failure before the first byte can still be answered with a status.
  await once(body, 'readable')
  await pipeline(body, res)
}

/** The full URL that the client requested. */
const contentLocation = (req: Request): string =>
  req.originalUrl.startsWith('/') ? `${req.protocol}://${hostOf(req)}${req.originalUrl}` : req.originalUrl

const missing = (): BitsError =>
  new BitsError({ status: 404 }, "There is no such reply, or it is another user's.")

function refuseReply(cause: unknown, req: Request, res: Response, service: UploadService): void {
  const error = toBitsError(errorCode(cause) === 'ENOENT' ? missing() : cause)
  // Clients may disconnect at any time; failures of this server are reported, even in the middle of a reply.
  if (error.code === 'unforeseen' && errorCode(cause) !== 'ERR_STREAM_PREMATURE_CLOSE') {
    service.emit('error', asError(cause), { path: pathWithoutId(req) })
  }
  if (res.headersSent || req.destroyed) {
    res.destroy()
    return
  }
  for (const name of ['Content-Disposition', 'Content-Location', 'ETag', 'Last-Modified'])
    res.removeHeader(name)
  res
    .status(error.status)
    .set({ ...error.headers, 'Content-Length': '0' })
    .end()
}

const GUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/** The path of the request for messages, without the session id, which is enough to continue the upload. */
const pathWithoutId = (req: Request): string =>
  pathOf(req.originalUrl).replace(/[^/\\]+/g, (name) => (mayHoldId(name) ? maskName(name) : name))

/** A client may percent-encode any part of an id. */
function mayHoldId(name: string): boolean {
  try {
    return GUID.test(decodeURIComponent(name))
  } catch {
    return true
  }
}
