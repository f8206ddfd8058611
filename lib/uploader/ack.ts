import type { PacketType } from '../../types/packets.js'
import { BITS_UPLOAD_PROTOCOL } from '../protocol/guids.js'
import { HEADER } from '../protocol/headers.js'
import { HRESULT } from '../protocol/hresult.js'
import { MAX_SESSION_ID } from '../protocol/limits.js'
import { BitsClientError } from './client-error.js'
import { type AnsweredRequest, refusal } from './refusal.js'
import type { ResponseHead } from './response-head.js'

/** The content of a successful Ack, or of a 416 to a fragment. */
export interface AckFields {
  readonly sessionId: string | undefined
  /** `BITS-Received-Content-Range`: the next byte that the server wants. */
  readonly offset: number | undefined
  readonly hostId: string | undefined
  /** Seconds. */
  readonly hostIdFallbackTimeout: number | undefined
  readonly replyUrl: string | undefined
}

/**
 * Reads the response to a packet (MC-BUP 3.1.5.2).
 *
 * @throws BitsClientError for a status other than success, and for a response that cannot be an Ack: the packet may
 * then be sent again, as if there had been no response.
 */
export function readAck(packet: PacketType, request: AnsweredRequest, response: ResponseHead): AckFields {
  const { status } = response
  const header = (name: string): string | undefined => response.header(name)
  const success = status === 200 || status === 201 || (packet === 'Fragment' && status === 416)
  if (!success) throw refusal(request, response)
  const malformed = (why: string): BitsClientError =>
    new BitsClientError(`The response ${status} to ${packet} is not an Ack: ${why}.`, { packet, status })

  if (header(HEADER.packetType)?.toLowerCase() !== 'ack') throw malformed('BITS-Packet-Type is not "Ack"')
  const ack: AckFields = {
    sessionId: header(HEADER.sessionId),
    offset: wholeNumber(header(HEADER.receivedContentRange)),
    hostId: header(HEADER.hostId),
    hostIdFallbackTimeout: wholeNumber(header(HEADER.hostIdFallbackTimeout)),
    replyUrl: header(HEADER.replyUrl),
  }
  if (packet === 'Fragment' && ack.offset === undefined) {
    throw malformed('BITS-Received-Content-Range is not a number')
  }
  if (packet === 'Create-Session') {
    if (!ack.sessionId) throw malformed('BITS-Session-Id is missing')
    // Win32 ack-for-create-session: a session id may be any string up to this length.
    if (ack.sessionId.length > MAX_SESSION_ID) {
      throw malformed(`BITS-Session-Id has over ${MAX_SESSION_ID} characters`)
    }
    refuseOtherProtocol(header(HEADER.protocol), status)
  }
  return ack
}

function refuseOtherProtocol(protocol: string | undefined, status: number): void {
  if (protocol === undefined || protocol.toLowerCase().includes(BITS_UPLOAD_PROTOCOL)) return
  throw new BitsClientError('The server chose a protocol that this client did not offer.', {
    packet: 'Create-Session',
    status,
    hresult: HRESULT.BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH,
    fatal: true,
  })
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined
}
