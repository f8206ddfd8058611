import { type RequestHandler, Router } from 'express'
import type { CancelResult } from 'express-bits-upload'
import { sameOriginOnly } from './same-origin.js'
import { cancelIn, type DashboardSource, sweepSources } from './sources.js'

const STATUS: Readonly<Record<CancelResult, number>> = { cancelled: 200, published: 409, 'not-found': 404 }

/** What the buttons of the page do: `POST cancel/:uploadId` and `POST sweep`, for the page itself only. */
export function dashboardActions(sources: readonly DashboardSource[]): Router {
  let sweeping: Promise<void> | undefined
  const sweep = (): Promise<void> => {
    sweeping ??= sweepSources(sources).finally(() => {
      sweeping = undefined
    })
    return sweeping
  }
  const noStore: RequestHandler = (_req, res, next) => {
    res.set('Cache-Control', 'no-store')
    next()
  }
  const router = Router()
  router.post('/cancel/:uploadId', noStore, sameOriginOnly, (req, res, next) => {
    cancelIn(sources, String(req.params.uploadId))
      .then((result) => res.status(STATUS[result]).json({ result }))
      .catch(next)
  })
  router.post('/sweep', noStore, sameOriginOnly, (_req, res, next) => {
    sweep()
      .then(() => res.json({ result: 'swept' }))
      .catch(next)
  })
  return router
}
