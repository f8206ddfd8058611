import { Router } from 'express'
import { ownButtonsOnly } from './own-page.js'

/** The demonstration that the page can start. */
export interface StartableShow {
  readonly isRunning: boolean
  /** Returns false when it is already running. */
  start(): boolean
}

/** Handles the button "Show an upload": `GET` tells whether it can be used, `POST` starts an upload. */
export function showButton(show: StartableShow | undefined): Router {
  const router = Router()
  router.get('/', (_req, res) => {
    const state = show ? (show.isRunning ? 'running' : 'ready') : 'unavailable'
    res.set('Cache-Control', 'no-store').json({ state })
  })
  router.post('/', ownButtonsOnly, (_req, res) => {
    if (!show) res.status(404).json({ result: 'unavailable' })
    else if (show.start()) res.status(202).json({ result: 'started' })
    else res.status(409).json({ result: 'running' })
  })
  return router
}
