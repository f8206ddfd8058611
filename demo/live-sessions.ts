import type { RequestHandler, Response } from 'express'
import type { BitsUpload, SessionInfo } from 'express-bits-upload'
import type { Answer } from './server-application.js'

/** Milliseconds between two signs of life, which keep proxies from closing a quiet stream. */
const HEARTBEAT = 15_000
/** Bytes a page may lag behind before it is sent away; it comes back by itself, and gets a fresh snapshot. */
const MAX_BACKLOG = 1024 * 1024
/** Answers of the server application that are kept for pages yet to come. */
const MAX_ANSWERS = 10
/** Characters of an answer that a page gets to see. */
const MAX_ANSWER = 1000

export interface LiveSessions {
  /** Answers with a stream of server-sent events: `snapshot` once, then `session`, `answer` and `files` as things happen. */
  readonly handler: RequestHandler
  /** Shows all pages what the server application said. */
  answered(answer: Answer): void
  /** Tells all pages to look at the listing again. */
  filesChanged(): void
  /** Ends all streams. */
  close(): void
}

/** A session as the page shows it. */
type SessionView = Pick<SessionInfo, 'uploadId' | 'received' | 'total' | 'rate'> & {
  readonly name: string
  readonly state: 'receiving' | 'refused' | 'published' | 'cancelled' | 'expired'
  readonly who: string
}

/** An answer as the page shows it. */
interface AnswerView {
  /** Of the session. */
  readonly id: string
  readonly name: string
  readonly state: 'replied' | 'refused'
  readonly text: string
}

type Send = (message: string) => void

/** Shows the sessions of `bits` to pages while they happen. */
export function liveSessions(bits: BitsUpload): LiveSessions {
  const pages = new Map<Response, Send>()
  const answers = new Map<string, AnswerView>()
  /** Ids of sessions whose file was refused, until they end. */
  const refusals = new Set<string>()
  const broadcast = (message: string) => {
    for (const send of pages.values()) send(message)
  }
  const show = (session: SessionInfo, state: SessionView['state']) => {
    if (state === 'refused') refusals.add(session.uploadId)
    else refusals.delete(session.uploadId)
    broadcast(event('session', view(session, state)))
  }
  const stateOf = ({ uploadId, state }: SessionInfo) => {
    if (state === 'published') return 'published'
    return refusals.has(uploadId) ? 'refused' : 'receiving'
  }

  bits.on('session', (session) => show(session, 'receiving'))
  bits.on('progress', (session) => show(session, 'receiving'))
  bits.on('cancelled', (session) => show(session, 'cancelled'))
  bits.on('expired', (session) => show(session, 'expired'))
  bits.on('uploaded', ({ session }) => {
    show(session, 'published')
    broadcast(event('files', {}))
  })
  const heartbeat = setInterval(() => broadcast(': still here\n\n'), HEARTBEAT).unref()

  return {
    async handler(_req, res) {
      // What happens while the snapshot is made is told after it.
      const meanwhile: string[] = []
      pages.set(res, (message) => meanwhile.push(message))
      res.on('close', () => pages.delete(res))
      const sessions = await bits.sessions()
      res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' })
      const snapshot = event(
        'snapshot',
        sessions.map((session) => view(session, stateOf(session))),
      )
      const said = [...answers.values()].map((answer) => event('answer', answer))
      res.write(['retry: 1000\n\n', snapshot, ...said, ...meanwhile].join(''))
      if (pages.has(res)) pages.set(res, (message) => sendTo(res, message))
    },
    answered({ upload, refused, text }) {
      const { uploadId, destination: name } = upload.session
      const answer: AnswerView = {
        id: uploadId,
        name,
        state: refused ? 'refused' : 'replied',
        text: text.slice(0, MAX_ANSWER),
      }
      // The latest are last.
      answers.delete(uploadId)
      answers.set(uploadId, answer)
      for (const oldest of [...answers.keys()].slice(0, -MAX_ANSWERS)) answers.delete(oldest)
      broadcast(event('answer', answer))
      if (refused) show(upload.session, 'refused')
    },
    filesChanged: () => broadcast(event('files', {})),
    close() {
      clearInterval(heartbeat)
      for (const res of pages.keys()) res.end()
      pages.clear()
    },
  }
}

const view = (session: SessionInfo, state: SessionView['state']): SessionView => ({
  uploadId: session.uploadId,
  name: session.destination,
  received: session.received,
  total: session.total,
  rate: session.rate,
  state,
  who: session.user ?? 'guest',
})

/** JSON has no line breaks of its own, so one `data` line carries it. */
const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

function sendTo(res: Response, message: string): void {
  if (res.writableLength > MAX_BACKLOG) res.destroy()
  else res.write(message)
}
