import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { Request, RequestHandler } from 'express'
import { sendErrorPage } from './error-page.js'

/** A page of another site cannot send it without permission (CORS). */
const BUTTON_HEADER = 'X-BITS-Demo'

/** Only for forms of this server's pages: another site's page could post one in the name of its visitor. */
export const refuseOtherSites: RequestHandler = (req, res, next) => {
  if (senderOf(req) === 'other page') return sendErrorPage(res, 403, 'The form came from another site.')
  next()
}

/** Only for buttons of this server's pages. */
export const ownButtonsOnly: RequestHandler = (req, res, next) => {
  if (req.get(BUTTON_HEADER) !== undefined && senderOf(req) === 'own page') return next()
  res.status(403).json({ result: 'refused' })
}

/** Browsers say it in `Sec-Fetch-Site`, or else in `Origin`. */
function senderOf(req: Request): 'own page' | 'other page' | 'no page' {
  const host = req.get('host') ?? ''
  const site = req.get('sec-fetch-site')
  const origin = req.get('origin')
  if (site === undefined && origin === undefined) return 'no page'
  const isOwn = site === undefined ? origin === `http://${host}` : site === 'same-origin'
  return isOwn && !isRebound(req.socket.localAddress, host) ? 'own page' : 'other page'
}

/**
 * On the loopback address nobody needs a password, so any other name leads there only for an attack: a site can have its
 * own name resolve to 127.0.0.1 (DNS rebinding), and browsers then take its page for one of this server.
 */
function isRebound(localAddress = '', host: string): boolean {
  if (!/^(?:::ffff:)?127\.|^::1$/.test(localAddress)) return false
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
  const isAddress = isIP(name.replace(/[[\]]/g, '')) !== 0
  return !isAddress && !/^(?:.*\.)?localhost$/.test(name) && name !== hostname().toLowerCase()
}
