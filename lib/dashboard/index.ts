import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import express, { type RequestHandler, Router } from 'express'
import type { BitsUpload } from 'express-bits-upload'
import { dashboardActions } from './actions.js'
import { type BitsDashboardOptions, checkDashboardOptions } from './options.js'
import { SessionOverview } from './overview.js'
import { listPage } from './session-list.js'
import { type DashboardSource, sourcesOf } from './sources.js'
import { ViewerStreams } from './viewer-streams.js'

export type { BitsDashboardOptions } from './options.js'
export type { DashboardSource } from './sources.js'

/** The build puts `public` next to the bundle. */
const PUBLIC = fileURLToPath(new URL('public', import.meta.url))

export interface BitsDashboard extends Router {
  /** Ends the event streams of open pages, so that the server can stop. The pages reconnect by themselves. */
  close(): void
}

/**
 * A router with a page that shows the uploads of `bits` as they happen. Anyone who can open it sees the names of files
 * and users: mount your authentication before it.
 *
 * @param bits what `bitsUpload()` returned; a list of several shares one page.
 * @example app.use('/live', bitsDashboard(bits))
 * @example app.use('/live', bitsDashboard([{ bits: evidence, prefix: 'evidence/' }, { bits: inventory }]))
 * @throws OptionError that names the option, its value and what to use instead.
 * @throws TypeError if `bits` is not what `bitsUpload()` returned.
 */
export function bitsDashboard(
  bits: BitsUpload | readonly DashboardSource[],
  options: BitsDashboardOptions = {},
): BitsDashboard {
  checkDashboardOptions(options)
  const sources = sourcesOf(bits, options.files)
  const overview = new SessionOverview(sources, options)
  const streams = new ViewerStreams(overview)
  const router = Router()
  router.use(securityHeaders)
  router.get('/events', (req, res, next) => {
    streams.open(req, res).catch(next)
  })
  router.get('/sessions', (req, res, next) => {
    overview
      .watch()
      .then(() => res.set('Cache-Control', 'no-store').json(listPage(overview.views(), req.query)))
      .catch(next)
  })
  if (options.actions) router.use(dashboardActions(sources))
  router.use(express.static(PUBLIC))
  return Object.assign(router, { close: () => streams.close() })
}

/** The style sheet of the dashboard, for other pages that should look like it. */
export const dashboardStyle = (): string => readFileSync(`${PUBLIC}/style.css`, 'utf8')

const securityHeaders: RequestHandler = (_req, res, next) => {
  res.set({
    'Content-Security-Policy':
      "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  })
  next()
}
