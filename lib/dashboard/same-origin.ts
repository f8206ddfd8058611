import type { Request, RequestHandler } from 'express'
import { hostOf } from '../util/request-origin.js'

/** Pages of other sites cannot send it unless the server allows them to, by CORS. */
const ACTION_HEADER = 'X-BITS-Dashboard'

/**
 * Refuses requests that do not come from a page of this site, with 403: a browser also adds the user's password to
 * requests from other sites. Browsers say where a request comes from in `Sec-Fetch-Site`, or else in `Origin`.
 */
export const sameOriginOnly: RequestHandler = (req, res, next) => {
  if (req.get(ACTION_HEADER) === undefined || !isSameOrigin(req)) {
    res.status(403).json({ result: 'not-allowed' })
    return
  }
  next()
}

function isSameOrigin(req: Request): boolean {
  const site = req.get('sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  // Plain http, where the header is missing.
  const origin = req.get('origin')
  const host = hostOf(req)
  return host !== '' && origin?.toLowerCase() === `${req.protocol}://${host}`.toLowerCase()
}
