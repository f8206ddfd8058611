import type { Request, Response } from 'express'
import type { Logger } from '../../types/options.js'
import { BitsError } from '../protocol/bits-error.js'
import { errorAck, sendAck } from './send-ack.js'

const NOT_EXPRESS =
  'BITS upload: the request does not come from Express. Other frameworks can mount an Express app that contains the ' +
  "middleware: express().use('/uploads', bitsUpload())."
const HTTP_2 =
  'BITS upload: the request came over HTTP/2, which neither Express nor this protocol supports. Serve it from ' +
  'node:http or node:https; a proxy in front may use HTTP/2 if it uses HTTP/1.1 with Node.'

/**
 * Answers packets that come from connect, Fastify or a bare server, whose requests lack what Express adds. Without an
 * Ack the client would retry for days.
 *
 * @param logger gets the reason, once.
 */
export function createFrameworkRefusal(logger: Logger): (req: Request, res: Response) => Promise<void> {
  let hasLogged = false
  return async (req, res) => {
    const reason = req.httpVersionMajor > 1 ? HTTP_2 : NOT_EXPRESS
    if (!hasLogged) logger.error(reason)
    hasLogged = true
    await sendAck(req, res, errorAck(new BitsError('unforeseen', reason)), 0)
  }
}
