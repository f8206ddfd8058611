import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { PacketType } from '../../../types/packets.js'
import { HRESULT, hresultOfStatus } from '../../protocol/bits-error.js'
import { BITS_UPLOAD_PROTOCOL, parseProtocols } from '../../protocol/guids.js'
import { HEADER } from '../../protocol/headers.js'
import { ADVICE } from '../advice.js'
import { isDestinationTaken, isFatal } from '../retry-policy.js'
import { BitsClientError, describeHresult, type RemoteContext, type RequestKind } from './client-error.js'

/** What an Ack of success says, a 416 to a fragment included. */
export interface AckFields {
  readonly sessionId: string | undefined
  /** `BITS-Received-Content-Range`: the next byte that the server wants. */
  readonly offset: number | undefined
  readonly hostId: string | undefined
  /** Seconds. */
  readonly hostIdFallbackTimeout: number | undefined
  readonly replyUrl: string | undefined
}

/** Win32 ack-for-create-session: any string of up to 100 characters may stand for a GUID. */
const MAX_SESSION_ID = 100

/**
 * Reads the answer to a packet (MC-BUP 3.1.5.2).
 *
 * @throws BitsClientError for a status that is no success, and for an answer that cannot be an Ack: the latter may be
 * sent again, as though no answer had come.
 */
export function readAck(packet: PacketType, response: IncomingMessage): AckFields {
  const status = response.statusCode ?? 0
  const header = (name: string): string | undefined => headerOf(response.headers, name)
  const success = status === 200 || status === 201 || (packet === 'Fragment' && status === 416)
  if (!success) throw refusal(packet, response)
  const malformed = (why: string): BitsClientError =>
    new BitsClientError(`The answer ${status} to ${packet} is no Ack: ${why}.`, { packet, status })

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
    if (ack.sessionId.length > MAX_SESSION_ID) throw malformed('BITS-Session-Id has over 100 characters')
    refuseOtherProtocol(header(HEADER.protocol), status)
  }
  return ack
}

function refuseOtherProtocol(protocol: string | undefined, status: number): void {
  if (protocol === undefined || parseProtocols(protocol)[0] === BITS_UPLOAD_PROTOCOL) return
  throw new BitsClientError('The server chose a protocol that this client did not offer.', {
    packet: 'Create-Session',
    status,
    hresult: HRESULT.BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH,
    fatal: true,
  })
}

/** The error that an answer stands for. */
export function refusal(packet: RequestKind, response: IncomingMessage): BitsClientError {
  const status = response.statusCode ?? 0
  const header = (name: string): string | undefined => headerOf(response.headers, name)
  const told = parseHresult(header(HEADER.errorCode)) ?? parseHresult(header(HEADER.error))
  const hresult = told ?? hresultOfStatus(status)
  const context = told === undefined ? undefined : contextOf(header(HEADER.errorContext))
  const who = context === 'server application' ? 'server application' : 'server'
  const hint = hintOn(packet, status, told)
  return new BitsClientError(
    `The ${who} answered ${packet} with ${status}, ${describeHresult(hresult)}.${hint}`,
    { packet, status, hresult, context, fatal: isFatal(packet, status, told) },
  )
}

function hintOn(packet: RequestKind, status: number, hresult: number | undefined): string {
  if (status === 401 || status === 407) return ` It wants other credentials: ${ADVICE.credentials}.`
  return isDestinationTaken(packet, hresult)
    ? ' A file of this name is there, and the server does not overwrite it.'
    : ''
}

/** Hexadecimal with or without `0x`, as servers write it (protocol notes on MC-BUP 2.2.1.2). */
export function parseHresult(text: string | undefined): number | undefined {
  const match = /^(?:0?x)?([0-9a-f]{1,8})$/i.exec(text ?? '')
  return match ? Number.parseInt(match[1] ?? '', 16) : undefined
}

function contextOf(text: string | undefined): RemoteContext | undefined {
  const value = parseHresult(text)
  if (value === 0x5) return 'server'
  return value === 0x7 ? 'server application' : undefined
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  const text = (Array.isArray(value) ? value[0] : value)?.trim()
  return text === '' ? undefined : text
}
