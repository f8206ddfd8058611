import type { Request, RequestHandler, Response } from 'express'
import morgan from 'morgan'
import { escapeControls } from '../../logging/escape-controls.js'
import { userOf } from './authenticate.js'
import type { Log } from './log-file.js'
import { maskLoggedUrl } from './mask-logged-url.js'
import { w3cHeader, w3cLog } from './w3c-log.js'

export type LogFormat = 'common' | 'combined' | 'bits' | 'w3c' | 'json' | 'none'

/** Apache's Common and Combined Log Format, with our own tokens for potential secrets. */
const COMMON =
  ':remote-addr - :user [:date[clf]] ":method :masked-url HTTP/:http-version" :answered :res[content-length]'
const LINE_FORMATS: Readonly<Record<Exclude<LogFormat, 'none' | 'json' | 'w3c'>, string>> = {
  common: COMMON,
  combined: `${COMMON} ":masked-referrer" ":user-agent"`,
  bits: `${COMMON} :packet :upload :response-time`,
}

/** Logs each request when its response has ended, as one line without control characters. */
export function accessLog(format: Exclude<LogFormat, 'none'>, log: Pick<Log, 'write'>): RequestHandler {
  // Not morgan's `remote-user`, which trusts any name that the client claims.
  morgan.token('user', (req) => userOf(req)?.replaceAll(' ', '%20'))
  morgan.token<Request>('masked-url', (req) => maskLoggedUrl(req.originalUrl))
  morgan.token('masked-referrer', ({ headers: { referer } }) => referer && maskLoggedUrl(referer))
  // As in nginx, when the client disconnected before there was a response: log readers expect a number.
  morgan.token('answered', (_req, res) => (res.headersSent ? String(res.statusCode) : '499'))
  morgan.token<Request>('packet', (req) => req.bits?.packet)
  morgan.token<Request>('upload', (req) => req.bits?.uploadId)
  if (format === 'json') return jsonLog(log)
  if (format === 'w3c') return w3cLog(log)
  const stream = { write: (line: string) => log.write(`${escapeControls(line.trimEnd())}\n`) }
  return morgan<Request, Response>(LINE_FORMATS[format], { stream })
}

/** The first line of a log in this format. */
export const logHeader = (format: LogFormat): string => (format === 'w3c' ? w3cHeader() : '')

/** One JSON object per line, as log collectors read it. Fields without a value are left out. */
const jsonLog = (log: Pick<Log, 'write'>): RequestHandler =>
  morgan<Request, Response>(
    (tokens, req, res) => {
      const token = (name: string, ...args: string[]) => tokens[name]?.(req, res, ...args) ?? undefined
      const length = token('res', 'content-length')
      const line = JSON.stringify({
        time: token('date', 'iso'),
        address: token('remote-addr'),
        user: userOf(req),
        method: token('method'),
        url: token('masked-url'),
        status: Number(token('answered')),
        bytes: length === undefined ? undefined : Number(length),
        milliseconds: Number(token('response-time') ?? 0),
        userAgent: token('user-agent'),
        packet: token('packet'),
        upload: token('upload'),
      })
      return escapeInJson(line)
    },
    { stream: { write: (line: string) => log.write(`${line.trimEnd()}\n`) } },
  )

/** JSON escapes the controls of ASCII only. */
const escapeInJson = (line: string): string =>
  line.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
