import express, { type ErrorRequestHandler, type Express, type RequestHandler, Router } from 'express'
import type { BitsUpload } from 'express-bits-upload'
import { type BitsDashboard, bitsDashboard } from 'express-bits-upload/dashboard'
import { asError } from '../../util/errors.js'
import { printError } from '../say.js'
import { accessLog } from './access-log.js'
import { livePathOf } from './app-paths.js'
import { type IdentifyUser, requireUser } from './authenticate.js'
import type { ServeFlags } from './flags.js'
import type { Log } from './log-file.js'
import { healthPage, healthPathOf, metricsPage, metricsPathOf } from './monitoring.js'
import { ownHostOnly } from './own-host.js'
import { sendStatus } from './pages/status.js'
import { welcome } from './pages/welcome.js'
import { publishedFiles } from './published-files.js'

/** A directory as the app serves it. */
export interface AppDirectory {
  readonly bits: BitsUpload
  /** Absolute path; absent when the files are in S3. */
  readonly directory?: string | undefined
  /** Absent when access is unrestricted. */
  readonly authenticate: IdentifyUser | undefined
  readonly flags: ServeFlags
}

export interface AppParts {
  readonly directories: readonly AppDirectory[]
  /** For the pages of the server as a whole; absent when access to them is unrestricted. */
  readonly authenticate: IdentifyUser | undefined
  readonly log: Pick<Log, 'write'>
  /** Runs before all other handlers. */
  readonly first: readonly RequestHandler[]
}

export interface ServeApp {
  readonly app: Express
  readonly dashboard: BitsDashboard | undefined
}

/**
 * The app of `serve`: uploads, then the pages of the server, then the files of each directory.
 *
 * @param flags of the server as a whole.
 */
export function createApp(parts: AppParts, flags: ServeFlags): ServeApp {
  const { directories, authenticate, log, first } = parts
  const uploads = directories.map(({ bits }) => bits)
  const app = express()
  app.disable('x-powered-by')
  for (const handler of first) app.use(handler)
  if (flags.logFormat !== 'none') app.use(accessLog(flags.logFormat, log))
  // Before `requireUser`: `bits` authenticates by itself, because of `trustSessionId` and to respond with Acks.
  for (const { bits, flags: own } of directories) app.use(own.path, bits)
  const healthPath = healthPathOf(flags)
  if (healthPath !== undefined) app.get(healthPath, healthPage(uploads))
  const protect: RequestHandler = authenticate ? requireUser(authenticate) : (_req, _res, next) => next()
  const metricsPath = metricsPathOf(flags)
  if (metricsPath !== undefined) app.get(metricsPath, protect, metricsPage(uploads))
  const livePath = livePathOf(flags)
  const dashboard = livePath === undefined ? undefined : dashboardOf(directories, flags)
  if (dashboard && livePath !== undefined) {
    app.use(livePath, authenticate ? protect : ownHostOnly(flags), dashboard)
  }
  for (const directory of directories) app.use(directory.flags.path, directoryPages(directory, flags))
  app.use(protect)
  app.all(
    '/',
    welcome(
      directories.map((directory) => directory.flags),
      flags,
    ),
  )
  app.use(notFound)
  app.use(sendError)
  return { app, dashboard }
}

/** Names of files are shown with the path of their directory, if there are several. */
function dashboardOf(directories: readonly AppDirectory[], { liveActions }: ServeFlags): BitsDashboard {
  const sources = directories.map((directory) => {
    const { bits, flags } = directory
    const isReadable = publishedAs(directory)?.methods.includes('GET') === true
    return {
      bits,
      prefix: directories.length > 1 ? `${flags.path}/`.replace(/^\/+/, '') : undefined,
      files: isReadable ? flags.path : undefined,
    }
  })
  return bitsDashboard(sources, { actions: liveActions })
}

/** Responds to all requests below the path of a directory that are not uploads. */
function directoryPages(parts: AppDirectory, server: ServeFlags): Router {
  const { directory, authenticate, flags } = parts
  const router = Router()
  if (authenticate) router.use(requireUser(authenticate))
  const files = publishedAs(parts)
  if (files && directory !== undefined)
    router.use(publishedFiles(directory, { ...files, livePath: livePathOf(server) }))
  router.all('/', welcome([flags], server))
  router.use(notFound)
  return router
}

/**
 * Returns which requests for files are answered. Users may check with HEAD whether a file exists: clients such as
 * DFIR-ORC do, to skip files that they have already uploaded.
 */
function publishedAs({
  directory,
  authenticate,
  flags: { read, list },
}: AppDirectory): { methods: readonly string[]; list: boolean } | undefined {
  if (directory === undefined) return undefined
  if (read || list) return { methods: ['GET', 'HEAD'], list: list === true }
  return authenticate ? { methods: ['HEAD'], list: false } : undefined
}

const notFound: RequestHandler = (req, res) => sendStatus(req, res, 404)

/** Responds with a status and an empty body. */
const sendError: ErrorRequestHandler = (error: unknown, req, res, next) => {
  const status: unknown =
    typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined
  const known = typeof status === 'number' && status >= 400 && status <= 499
  if (!known) printError(`error: ${asError(error).message}`)
  if (res.headersSent) return next(error)
  sendStatus(req, res, known ? status : 500)
}
