import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import type { BitsUpload } from 'express-bits-upload'
import { type LivePage, livePage } from '../../dashboard/index.js'
import { asError } from '../../util/errors.js'
import { printError } from '../say.js'
import { accessLog } from './access-log.js'
import { type Authenticate, requireUser } from './authenticate.js'
import type { ServeFlags } from './flags.js'
import type { Log } from './log-file.js'
import { publishedFiles } from './published-files.js'

export interface AppParts {
  readonly bits: BitsUpload
  readonly directory: string
  /** Absent when everybody may do everything. */
  readonly authenticate: Authenticate | undefined
  readonly log: Pick<Log, 'write'>
  /** Comes before everything else. */
  readonly first: readonly RequestHandler[]
}

export interface ServeApp {
  readonly app: Express
  readonly live: LivePage | undefined
}

/** Where the live page is when its flag says no more. */
const LIVE_PATH = '/live'

export const livePathOf = ({ live, livePath }: Pick<ServeFlags, 'live' | 'livePath'>): string | undefined =>
  livePath ?? (live && LIVE_PATH)

/** The app of `serve`: uploads, then the live page, then the files. */
export function createApp(parts: AppParts, flags: ServeFlags): ServeApp {
  const { bits, directory, authenticate, log, first } = parts
  const app = express()
  app.disable('x-powered-by')
  for (const handler of first) app.use(handler)
  if (flags.logFormat !== 'none') app.use(accessLog(flags.logFormat, log))
  // Asks who uploads by itself, for `trustSessionId` and for the Acks of those who may not.
  app.use(flags.path, bits)
  if (authenticate) app.use(requireUser(authenticate))
  const livePath = livePathOf(flags)
  const live = livePath === undefined ? undefined : livePage(bits)
  if (live && livePath !== undefined) app.use(livePath, live.router)
  if (flags.read || flags.list) app.use(flags.path, publishedFiles(directory, { list: flags.list === true }))
  app.use((_req, res) => void res.sendStatus(404))
  app.use(sendError)
  return { app, live }
}

/** Tells the client a status, and nothing more. */
const sendError: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  const status: unknown =
    typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined
  const known = typeof status === 'number' && status >= 400 && status <= 499
  if (!known) printError(`error: ${asError(error).message}`)
  if (res.headersSent) return next(error)
  res.sendStatus(known ? status : 500)
}
