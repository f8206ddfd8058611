import type { Request, RequestHandler, Response } from 'express'
import morgan from 'morgan'
import { escapeControls } from '../../logging/escape-controls.js'
import { HEADER } from '../../protocol/headers.js'
import { plainAddress } from '../../util/plain-address.js'
import { version } from '../version.js'
import { userOf } from './authenticate.js'
import type { Log } from './log-file.js'
import { maskLoggedUrl } from './mask-logged-url.js'

/** The fields that IIS 10 logs by default. */
const LOGGED_FIELDS =
  'date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) ' +
  'sc-status sc-substatus sc-win32-status time-taken'
/** Longer values become `...`, as in IIS. */
const MAX_VALUE = 4096
/** As in nginx: the client disconnected before the response. */
const CLIENT_CLOSED = 499
/** ERROR_NETNAME_DELETED, which IIS logs for clients that disconnected. */
const WIN32_DISCONNECTED = 64
/** An HRESULT of Win32 has the error code in its lower half. */
const FACILITY_WIN32 = 0x8007

/** The directives at the beginning of a file in the W3C extended log format. */
export const w3cHeader = (now = new Date()): string =>
  `#Software: express-bits-upload ${version}\n#Version: 1.0\n#Date: ${dateAndTime(now)}\n#Fields: ${LOGGED_FIELDS}\n`

/** Logs each request once it is answered, in the W3C extended log format with the fields of IIS. Times are in UTC. */
export function w3cLog(log: Pick<Log, 'write'>): RequestHandler {
  /** A connection has no address once it is closed. */
  const receivers = new WeakMap<object, { address: string | undefined; port: number | undefined }>()
  const logLine = morgan<Request, Response>(
    (tokens, req, res) => {
      const token = (name: string) => tokens[name]?.(req, res)
      const { referer } = req.headers
      const { address, port } = receivers.get(req) ?? {}
      const [stem, query] = splitQuery(maskLoggedUrl(req.originalUrl))
      const values = [
        plainAddress(address ?? ''),
        token('method'),
        stem,
        query,
        port,
        userOf(req),
        plainAddress(token('remote-addr') ?? ''),
        token('user-agent'),
        referer && maskLoggedUrl(referer),
        res.headersSent ? res.statusCode : CLIENT_CLOSED,
        0,
        res.headersSent ? win32Status(res) : WIN32_DISCONNECTED,
        Math.round(Number(token('response-time') ?? 0)),
      ]
      return [dateAndTime(new Date()), ...values.map(fieldOf)].join(' ')
    },
    { stream: { write: (line: string) => log.write(`${line.trimEnd()}\n`) } },
  )
  return (req, res, next) => {
    receivers.set(req, { address: req.socket.localAddress, port: req.socket.localPort })
    logLine(req, res, next)
  }
}

const dateAndTime = (moment: Date): string => moment.toISOString().slice(0, 19).replace('T', ' ')

/** Spaces separate fields, so those in a value become `+`. A missing value is `-`. */
function fieldOf(value: string | number | undefined): string {
  const text = escapeControls(String(value ?? '')).replace(/\p{Z}/gu, '+')
  if (text === '') return '-'
  return text.length > MAX_VALUE ? '...' : text
}

function splitQuery(url: string): [stem: string, query: string] {
  const mark = url.indexOf('?')
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)]
}

/** The Win32 code of an error that an Ack reports; 0 for others, whose status says everything. */
function win32Status(res: Response): number {
  const hresult = Number(res.getHeader(HEADER.errorCode) ?? 0)
  return hresult >>> 16 === FACILITY_WIN32 ? hresult & 0xffff : 0
}
