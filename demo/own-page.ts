import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { Request, RequestHandler } from 'express'
import { sendErrorPage } from './error-page.js'

/** Pages of other sites cannot send this header without permission (CORS). */
const BUTTON_HEADER = 'X-BITS-Demo'

/** Accepts forms only from pages of this server: a page of another site could post one on behalf of its visitor. */
export const refuseOtherSites: RequestHandler = (req, res, next) => {
  if (senderOf(req) === 'other page') return sendErrorPage(res, 403, 'The form came from another site.')
  next()
}

/** Accepts requests only from the buttons of this server's pages. */
export const ownButtonsOnly: RequestHandler = (req, res, next) => {
  if (req.get(BUTTON_HEADER) !== undefined && senderOf(req) === 'own page') return next()
  res.status(403).json({ result: 'refused' })
}

/** Browsers send `Sec-Fetch-Site`, or at least `Origin`. */
function senderOf(req: Request): 'own page' | 'other page' | 'no page' {
  const host = req.get('host') ?? ''
  const site = req.get('sec-fetch-site')
  const origin = req.get('origin')
  if (site === undefined && origin === undefined) return 'no page'
  const isOwn = site === undefined ? origin === `http://${host}` : site === 'same-origin'
  return isOwn && !isRebound(req.socket.localAddress, host) ? 'own page' : 'other page'
}

/**
 * The loopback address needs no password, so requests for any other host name are refused: a site can make its own name
 * resolve to 127.0.0.1 (DNS rebinding), and browsers would then treat its page as one of this server.
 */
function isRebound(localAddress = '', host: string): boolean {
  if (!/^(?:::ffff:)?127\.|^::1$/.test(localAddress)) return false
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
  const isAddress = isIP(name.replace(/[[\]]/g, '')) !== 0
  return !isAddress && !/^(?:.*\.)?localhost$/.test(name) && name !== hostname().toLowerCase()
}
