import { STATUS_CODES } from 'node:http'
import type { Request, Response } from 'express'
import { sendPage } from './layout.js'

/** Responds with a status and nothing else: as a page for browsers, otherwise as text. */
export function sendStatus(req: Request, res: Response, status: number): void {
  if (req.method !== 'GET' || req.accepts(['text', 'html']) !== 'html') {
    res.sendStatus(status)
    return
  }
  res.status(status)
  sendPage(res, {
    title: STATUS_CODES[status] ?? String(status),
    body: `<p>The server answered ${status}.</p>`,
  })
}
