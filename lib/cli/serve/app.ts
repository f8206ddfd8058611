import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import { type BitsUpload, bitsHealth } from 'express-bits-upload'
import { type BitsDashboard, bitsDashboard } from 'express-bits-upload/dashboard'
import { asError } from '../../util/errors.js'
import { printError } from '../say.js'
import { accessLog } from './access-log.js'
import { livePathOf } from './app-paths.js'
import { type IdentifyUser, requireUser } from './authenticate.js'
import type { ServeFlags } from './flags.js'
import type { Log } from './log-file.js'
import { healthPathOf, metricsPage, metricsPathOf } from './monitoring.js'
import { sendStatus } from './pages/status.js'
import { welcome } from './pages/welcome.js'
import { publishedFiles } from './published-files.js'

export interface AppParts {
  readonly bits: BitsUpload
  /** Absent when the files are in S3. */
  readonly directory?: string | undefined
  /** Absent when access is unrestricted. */
  readonly authenticate: IdentifyUser | undefined
  readonly log: Pick<Log, 'write'>
  /** Comes before everything else. */
  readonly first: readonly RequestHandler[]
}

export interface ServeApp {
  readonly app: Express
  readonly dashboard: BitsDashboard | undefined
}

/** The app of `serve`: uploads, then the dashboard, then the files. */
export function createApp(parts: AppParts, flags: ServeFlags): ServeApp {
  const { bits, directory, authenticate, log, first } = parts
  const app = express()
  app.disable('x-powered-by')
  for (const handler of first) app.use(handler)
  if (flags.logFormat !== 'none') app.use(accessLog(flags.logFormat, log))
  // Before `requireUser`: `bits` authenticates by itself, because of `trustSessionId` and to respond with Acks.
  app.use(flags.path, bits)
  const healthPath = healthPathOf(flags)
  if (healthPath !== undefined) app.get(healthPath, bitsHealth(bits, { details: false }))
  if (authenticate) app.use(requireUser(authenticate))
  const metricsPath = metricsPathOf(flags)
  if (metricsPath !== undefined) app.get(metricsPath, metricsPage(bits))
  const livePath = livePathOf(flags)
  const files = directory === undefined ? undefined : publishedAs(flags, authenticate !== undefined)
  const readable = files?.methods.includes('GET') === true
  const dashboard =
    livePath === undefined
      ? undefined
      : bitsDashboard(bits, { files: readable ? flags.path : undefined, actions: flags.liveActions })
  if (dashboard && livePath !== undefined) app.use(livePath, dashboard)
  if (files && directory !== undefined) app.use(flags.path, publishedFiles(directory, { ...files, livePath }))
  app.all(['/', flags.path], welcome(flags))
  app.use((req, res) => sendStatus(req, res, 404))
  app.use(sendError)
  return { app, dashboard }
}

/**
 * Returns which requests for files are answered. Users may check with HEAD whether a file exists: clients such as
 * DFIR-ORC do, to skip files that they have already uploaded.
 */
function publishedAs(
  { read, list }: Pick<ServeFlags, 'read' | 'list'>,
  hasUsers: boolean,
): { methods: readonly string[]; list: boolean } | undefined {
  if (read || list) return { methods: ['GET', 'HEAD'], list: list === true }
  return hasUsers ? { methods: ['HEAD'], list: false } : undefined
}

/** Responds with a status and nothing else. */
const sendError: ErrorRequestHandler = (error: unknown, req, res, next) => {
  const status: unknown =
    typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined
  const known = typeof status === 'number' && status >= 400 && status <= 499
  if (!known) printError(`error: ${asError(error).message}`)
  if (res.headersSent) return next(error)
  sendStatus(req, res, known ? status : 500)
}
