import type { Request, RequestHandler, Response } from 'express'
import morgan from 'morgan'
import { RESERVED_NAME } from '../../protocol/reserved-folder.js'
import { userOf } from './authenticate.js'
import type { Log } from './log-file.js'

export type LogFormat = 'common' | 'combined' | 'bits' | 'none'

/** Common and Combined Log Format of Apache, with our own tokens for what might be secret. */
const COMMON =
  ':remote-addr - :user [:date[clf]] ":method :masked-url HTTP/:http-version" :answered :res[content-length]'
const FORMATS: Readonly<Record<Exclude<LogFormat, 'none'>, string>> = {
  common: COMMON,
  combined: `${COMMON} ":masked-referrer" ":user-agent"`,
  bits: `${COMMON} :packet :upload :response-time`,
}

/** Logs each request once it is answered. */
export function accessLog(format: Exclude<LogFormat, 'none'>, log: Pick<Log, 'write'>): RequestHandler {
  // Not morgan's `remote-user`, which believes whatever name is claimed.
  morgan.token('user', (req) => userOf(req)?.replaceAll(' ', '%20'))
  morgan.token<Request>('masked-url', (req) => maskLoggedUrl(req.originalUrl))
  morgan.token('masked-referrer', ({ headers: { referer } }) => referer && maskLoggedUrl(referer))
  // As nginx has it: the client was gone before there was an answer. Programs that read logs expect a number.
  morgan.token('answered', (_req, res) => (res.headersSent ? String(res.statusCode) : '499'))
  morgan.token<Request>('packet', (req) => req.bits?.packet)
  morgan.token<Request>('upload', (req) => req.bits?.uploadId)
  return morgan<Request, Response>(FORMATS[format], { stream: log })
}

/** A character of ASCII as a URL may have it, in either case: as it is, escaped, or escaped again by some proxy. */
function inAnyForm(character: string): string {
  const [lower, upper] = [character.toLowerCase(), character.toUpperCase()].map((one) =>
    one.charCodeAt(0).toString(16),
  )
  return `(?:\\x${lower}|%(?:25)*(?:${lower}|${upper}))`
}

const SEPARATOR = `(?:${inAnyForm('/')}|${inAnyForm('\\')})`
const FOLDERS = [RESERVED_NAME, 'Replies'].map((name) => `${[...name].map(inAnyForm).join('')}${SEPARATOR}+`)
/** A session's id where the server takes a path for a reply's (`lib/protocol/reply-url.ts`), and some more. */
const REPLY_ID = new RegExp(`(${FOLDERS.join('')})(?:(?!${SEPARATOR}).)+`, 'gi')

/**
 * A URL without what lets its reader in: user and password, the values of its query, and the session id in the URL of
 * a reply.
 */
export function maskLoggedUrl(url: string): string {
  const [location = '', ...query] = url.split('?')
  const shown = location.replace(/^(https?:\/\/)[^/]*@/i, '$1').replace(REPLY_ID, '$1***')
  const parameters = query
    .join('?')
    .split('&')
    .map((one) => (one.includes('=') ? one.replace(/=.*/s, '=***') : '***'))
  return query.length === 0 ? shown : `${shown}?${parameters.join('&')}`
}
