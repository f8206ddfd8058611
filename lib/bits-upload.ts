import type { Request, RequestHandler, Response } from 'express'
import type { BitsUploadEvents, CancelResult, SessionInfo } from '../types/events.js'
import type { BitsUploadOptions } from '../types/options.js'
import type { Ack } from '../types/packets.js'
import type { BitsHealth } from '../types/tracing.js'
import { createEmit, createEmitter } from './events.js'
import { answer } from './http/answer.js'
import { watchForMissingAcks } from './http/missing-ack.js'
import { createFrameworkRefusal } from './http/other-framework.js'
import { sendAck } from './http/send-ack.js'
import { tracePacket } from './http/trace-packet.js'
import { logPacket } from './logging/packet-log.js'
import { readOptions } from './options/settings.js'
import { cancelUpload } from './packets/cancel-upload.js'
import type { UploadService } from './packets/context.js'
import { pathOf } from './protocol/destination.js'
import { HEADER } from './protocol/headers.js'
import { reservedPathOf } from './protocol/reply-url.js'
import { serveReply } from './replies/serve-reply.js'
import { AdapterHealth } from './sessions/adapter-health.js'
import { listSessions } from './sessions/list-sessions.js'
import { Tenants } from './tenants.js'
import { asError } from './util/errors.js'
import { isObject } from './util/is-object.js'
import { packetTurns } from './util/packet-turns.js'
import { allSettledOrThrow } from './util/promises.js'
import { acceptBitsPostEverywhere } from './verb/accept-bits-post.js'

const NOT_CALLED =
  "bitsUpload creates the middleware and is not one itself: call it, as in app.use('/uploads', bitsUpload())."

const CLOSING: BitsHealth = { storage: 'closing', sessions: 'closing' }

type Listener<Name extends keyof BitsUploadEvents> = (...args: BitsUploadEvents[Name]) => void

/** The middleware created by {@link bitsUpload}, which also emits events. */
export interface BitsUpload extends RequestHandler {
  /** Adds a listener for all events of that name. */
  on<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>): BitsUpload
  /** Adds a listener for the next event of that name. */
  once<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>): BitsUpload
  /** Removes a listener. */
  off<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>): BitsUpload
  /** The sessions that have not ended, including those of earlier runs of the server. Rejects after {@link close}. */
  sessions(): Promise<SessionInfo[]>
  /**
   * Checks storage and session store of the middleware's own options, at most once a second. Never rejects. An adapter
   * that has no `check` and could be opened counts as `ok`; one that does not answer within five seconds does not.
   */
  health(): Promise<BitsHealth>
  /**
   * Cancels an upload: its staged bytes and reply are removed, `cancelled` is emitted, and its client receives "session
   * not found" for its next packet. A fragment that is being received stops. A delivery in progress finishes first, which
   * can take as long as `onUpload` or the notification does; once the file is published, nothing is cancelled.
   *
   * @param uploadId as in `SessionInfo.uploadId`.
   * @throws BitsError `session-busy` when another process does not release the session within four minutes; otherwise the
   * error of the storage or session store. Rejects after {@link close}.
   */
  cancel(uploadId: string): Promise<CancelResult>
  /**
   * Removes idle sessions and orphaned staged data now, as it otherwise happens every `cleanupInterval` seconds. Does
   * nothing if another process with the same session store is sweeping. What cannot be removed is reported by the event
   * `error`.
   *
   * @throws the error of a storage or session store that cannot be opened or listed. Rejects after {@link close}.
   */
  sweep(): Promise<void>
  /**
   * Stops the timers, waits for the requests in progress, and closes storage and session store, which are not used
   * afterwards. Later packets and requests for replies get 503. Sessions are kept, and the next run continues them.
   *
   * @throws the error of the storage or session store that could not be closed, an `AggregateError` if there were
   * several; all others are closed.
   */
  close(): Promise<void>
}

/** Also a request of `node:http2` or of another framework. */
const isRequest = (options: object): boolean =>
  isObject(options) && 'method' in options && 'headers' in options && 'url' in options

/**
 * Receives BITS uploads on the route where it is mounted, and passes on all other requests.
 *
 * @example app.use('/uploads', bitsUpload({ directory: './uploads' }))
 *
 * @throws OptionError that names the option, its value and what is expected.
 * @throws Error when this version of Node cannot receive `BITS_POST`.
 */
export function bitsUpload(options: BitsUploadOptions = {}): BitsUpload {
  // app.use('/uploads', bitsUpload) calls it with a request.
  if (isRequest(options)) throw new TypeError(NOT_CALLED)
  const settings = readOptions(options)
  if (settings.acceptBitsPost) acceptBitsPostEverywhere()
  const events = createEmitter(settings.logger)
  const refuseOtherFramework = createFrameworkRefusal(settings.logger)
  const stopWatching = watchForMissingAcks(settings.logger)
  const running = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  const handler: RequestHandler = (req, res, next) => {
    if (typeof req.get !== 'function') {
      if (req.method !== 'BITS_POST') return next()
      void track(refuseOtherFramework(req, res))
      return
    }
    const reserved = reservedPath(req)
    if (!reserved && !isBitsPacket(req, settings.acceptPost)) return next()
    logPacket(req, res)
    void track<unknown>(
      reserved
        ? serveReply(reserved.sessionId, req, res, tenants)
        : tracePacket(handler, req, () => serveRequest(req, res, tenants)),
    )
  }
  const tenants = new Tenants(options, settings, createEmit(events, settings.logger), handler)
  const health = new AdapterHealth(tenants.base)
  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work)
    const done = () => running.delete(work)
    work.then(done, done)
    return work
  }

  const bits: BitsUpload = Object.assign(handler, {
    on<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>) {
      events.on(name, listener)
      return bits
    },
    once<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>) {
      events.once(name, listener)
      return bits
    },
    off<Name extends keyof BitsUploadEvents>(name: Name, listener: Listener<Name>) {
      events.off(name, listener)
      return bits
    },
    sessions: () => track(listAll(tenants)),
    health: async () => (tenants.closed ? CLOSING : track(health.check())),
    cancel: (uploadId: string) => track(cancelAny(uploadId, tenants)),
    sweep: () => track(sweepTenants(tenants)),
    close() {
      closing ??= close()
      return closing
    },
  })
  const close = async (): Promise<void> => {
    tenants.closed = true
    stopWatching()
    await Promise.allSettled(running)
    await allSettledOrThrow(tenants.all().map(({ housekeeping }) => housekeeping.close()))
  }
  return bits
}

/** The reserved folder below the mount point holds unfinished uploads. Only replies are served from it. */
const reservedPath = (req: Request) =>
  req.method === 'GET' || req.method === 'HEAD' ? reservedPathOf(req.url) : undefined

const isBitsPacket = (req: Request, acceptPost: boolean): boolean =>
  req.method === 'BITS_POST' ||
  (acceptPost && req.method === 'POST' && req.get(HEADER.packetType) !== undefined)

/** @returns the Ack; `undefined` if the client no longer waits for one. */
async function serveRequest(req: Request, res: Response, tenants: Tenants): Promise<Ack | undefined> {
  try {
    const turn = packetTurns.next()
    if (turn) await turn
    const ack = await answer(req, tenants)
    // During close(), connections with an unread body are closed as well.
    const drainLimit = tenants.closed ? 0 : tenants.base.settings.maxFragmentSize
    // The received part of an interrupted fragment has been staged, but there is no client to read the Ack.
    if (!ack || res.destroyed) return undefined
    await sendAck(req, res, ack, drainLimit)
    return ack
  } catch (error) {
    tenants.base.emit('error', asError(error), { path: pathOf(req.originalUrl) })
    res.destroy()
    return undefined
  }
}

async function listAll(tenants: Tenants): Promise<SessionInfo[]> {
  refuseClosed('sessions', tenants)
  return (await Promise.all(tenants.all().map(listOpen))).flat()
}

async function listOpen({ housekeeping, sessions, storage }: UploadService): Promise<SessionInfo[]> {
  await housekeeping.ready()
  return listSessions(sessions, storage)
}

async function cancelAny(uploadId: string, tenants: Tenants): Promise<CancelResult> {
  refuseClosed('cancel', tenants)
  return cancelUpload(uploadId, tenants.all())
}

async function sweepTenants(tenants: Tenants): Promise<void> {
  refuseClosed('sweep', tenants)
  await allSettledOrThrow(tenants.all().map(({ housekeeping }) => housekeeping.sweepNow()))
}

function refuseClosed(method: string, { closed }: Tenants): void {
  if (closed) throw new Error(`bits.${method}(): bits.close() was called.`)
}
