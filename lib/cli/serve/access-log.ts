import type { Request, RequestHandler, Response } from 'express'
import morgan from 'morgan'
import { escapeControls } from '../../logging/escape-controls.js'
import { userOf } from './authenticate.js'
import type { Log } from './log-file.js'
import { maskLoggedUrl } from './mask-logged-url.js'

export type LogFormat = 'common' | 'combined' | 'bits' | 'none'

/** Apache's Common and Combined Log Format, with our own tokens for potential secrets. */
const COMMON =
  ':remote-addr - :user [:date[clf]] ":method :masked-url HTTP/:http-version" :answered :res[content-length]'
const FORMATS: Readonly<Record<Exclude<LogFormat, 'none'>, string>> = {
  common: COMMON,
  combined: `${COMMON} ":masked-referrer" ":user-agent"`,
  bits: `${COMMON} :packet :upload :response-time`,
}

/** Logs each request once it is answered, as one line without control characters. */
export function accessLog(format: Exclude<LogFormat, 'none'>, log: Pick<Log, 'write'>): RequestHandler {
  // Not morgan's `remote-user`, which trusts any name that the client claims.
  morgan.token('user', (req) => userOf(req)?.replaceAll(' ', '%20'))
  morgan.token<Request>('masked-url', (req) => maskLoggedUrl(req.originalUrl))
  morgan.token('masked-referrer', ({ headers: { referer } }) => referer && maskLoggedUrl(referer))
  // As in nginx: the client disconnected before there was a response. Programs that read logs expect a number.
  morgan.token('answered', (_req, res) => (res.headersSent ? String(res.statusCode) : '499'))
  morgan.token<Request>('packet', (req) => req.bits?.packet)
  morgan.token<Request>('upload', (req) => req.bits?.uploadId)
  const stream = { write: (line: string) => log.write(`${escapeControls(line.trimEnd())}\n`) }
  return morgan<Request, Response>(FORMATS[format], { stream })
}
