import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Ack } from '../../types/packets.js'
import type { BitsError } from '../protocol/bits-error.js'
import { formatHresult, HEADER } from '../protocol/headers.js'
import { endResponse } from '../util/end-response.js'

/** Status and error headers of an error Ack (D1). */
export function errorAck(error: BitsError): Ack {
  if (error.hresult === undefined) return { status: error.status, headers: error.headers }
  const hresult = formatHresult(error.hresult)
  return {
    status: error.status,
    headers: {
      ...error.headers,
      [HEADER.errorCode]: hresult,
      [HEADER.error]: hresult,
      [HEADER.errorContext]: `0x${error.context}`,
    },
  }
}

/** Sends an Ack, after the rest of the request's body: see {@link endResponse}. */
export function sendAck(
  req: IncomingMessage,
  res: ServerResponse,
  ack: Ack,
  drainLimit: number,
): Promise<void> {
  return endResponse(req, res, drainLimit, () => {
    res.statusCode = ack.status
    res.setHeader(HEADER.packetType, 'Ack')
    for (const [name, value] of Object.entries(ack.headers)) res.setHeader(name, value)
  })
}
