import { join } from 'node:path'
import express, { Router } from 'express'
import type { BitsUpload } from 'express-bits-upload'
import { liveSessions } from './event-stream.js'

export interface LivePage {
  /** Mount it where the page is to be. */
  readonly router: Router
  /** Ends the pages' event streams. */
  close(): void
}

/** A page that shows the sessions of `bits` as they happen. */
export function livePage(bits: BitsUpload): LivePage {
  const live = liveSessions(bits)
  const router = Router()
  router.use((_req, res, next) => {
    res.set({
      'Content-Security-Policy':
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    })
    next()
  })
  router.get('/events', live.handler)
  // The build puts `public` beside the bundle.
  router.use(express.static(join(import.meta.dirname, 'public')))
  return { router, close: live.close }
}
