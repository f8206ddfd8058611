import type { RequestHandler, Response } from 'express'
import type { BitsUpload, SessionInfo } from 'express-bits-upload'
import { escapeControls } from '../logging/escape-controls.js'

/** Milliseconds between two signs of life, which keep proxies from closing a quiet stream. */
const HEARTBEAT = 15_000
/** Bytes a page may lag behind before it is sent away; it comes back by itself, and gets a fresh snapshot. */
const MAX_BACKLOG = 1024 * 1024

export interface LiveSessions {
  /** Answers with a stream of server-sent events: `snapshot` once, then `session` as things happen. */
  readonly handler: RequestHandler
  /** Ends all streams. */
  close(): void
}

/** A session as the page shows it. */
type StreamedSession = Pick<SessionInfo, 'uploadId' | 'received' | 'total' | 'rate'> & {
  readonly name: string
  readonly state: 'receiving' | 'published' | 'cancelled' | 'expired'
  readonly who: string
}

type Send = (message: string) => void

/** Shows the sessions of `bits` to pages while they happen. */
export function liveSessions(bits: BitsUpload): LiveSessions {
  const pages = new Map<Response, Send>()
  const broadcast = (message: string) => {
    for (const send of pages.values()) send(message)
  }
  const show = (session: SessionInfo, state: StreamedSession['state']) =>
    broadcast(event('session', view(session, state)))

  bits.on('session', (session) => show(session, 'receiving'))
  bits.on('progress', (session) => show(session, 'receiving'))
  bits.on('cancelled', (session) => show(session, 'cancelled'))
  bits.on('expired', (session) => show(session, 'expired'))
  bits.on('uploaded', ({ session }) => show(session, 'published'))
  const heartbeat = setInterval(() => broadcast(': still here\n\n'), HEARTBEAT).unref()

  async function open(res: Response): Promise<void> {
    // Changes during the snapshot are sent after it.
    const meanwhile: string[] = []
    pages.set(res, (message) => meanwhile.push(message))
    res.on('close', () => pages.delete(res))
    const sessions = await bits.sessions()
    res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' })
    const snapshot = sessions.map((session) =>
      view(session, session.state === 'published' ? 'published' : 'receiving'),
    )
    res.write(`retry: 1000\n\n${event('snapshot', snapshot)}${meanwhile.join('')}`)
    if (pages.has(res)) pages.set(res, (message) => sendTo(res, message))
  }

  return {
    handler: (_req, res, next) => {
      open(res).catch((error: unknown) => {
        pages.delete(res)
        next(error)
      })
    },
    close() {
      clearInterval(heartbeat)
      for (const res of pages.keys()) res.end()
      pages.clear()
    },
  }
}

const view = (session: SessionInfo, state: StreamedSession['state']): StreamedSession => ({
  uploadId: session.uploadId,
  name: escapeControls(session.destination),
  received: session.received,
  total: session.total,
  rate: session.rate,
  state,
  who: escapeControls(session.user ?? 'guest'),
})

/** JSON has no line breaks of its own, so one `data` line carries it. */
const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

function sendTo(res: Response, message: string): void {
  if (res.writableLength > MAX_BACKLOG) res.destroy()
  else res.write(message)
}
