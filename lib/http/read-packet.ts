import type { IncomingMessage } from 'node:http'
import type { FragmentPacket, Packet, PacketType } from '../../types/packets.js'
import { BitsError } from '../protocol/bits-error.js'
import { parseContentRange, rangeLength } from '../protocol/content-range.js'
import { parseProtocols } from '../protocol/guids.js'
import { HEADER, MAX_HEADER_LENGTH } from '../protocol/headers.js'

const PROTOCOL_HEADER = /^(?:bits|content)-/i
const TYPES: readonly PacketType[] = ['Ping', 'Create-Session', 'Fragment', 'Close-Session', 'Cancel-Session']
/** Any string of this length may be a session id (Win32 Ack for Create-Session). */
const MAX_SESSION_ID_LENGTH = 100

/** The packet type a request names, in any case; `undefined` when it names none that is known. */
export function packetTypeOf(req: IncomingMessage): PacketType | undefined {
  const value = header(req, HEADER.packetType)?.trim().toLowerCase()
  return TYPES.find((type) => type.toLowerCase() === value)
}

/**
 * Reads the head of a request as a packet (MC-BUP 2.2). The Content-Length is looked at only where it contradicts the
 * rest; that it is there is asked after the permission ({@link requireLength}).
 *
 * @throws BitsError for each breach of the message rules.
 */
export function readPacket(req: IncomingMessage): Packet {
  if (req.httpVersion !== '1.1' && req.httpVersion !== '1.0') {
    throw new BitsError(
      'malformed-packet',
      `The request came by HTTP/${req.httpVersion}: serve BITS from a server of node:http or node:https.`,
    )
  }
  if (req.headers.host?.trim() === '') throw new BitsError('malformed-packet', 'The Host header is empty.')
  refuseLongHeaders(req)
  const type = packetTypeOf(req)
  switch (type) {
    case undefined:
      throw unknownType(req)
    case 'Fragment':
      return readFragment(req)
    case 'Ping':
      refuseBody(req)
      return { type }
    case 'Create-Session':
      refuseBody(req)
      return { type, protocols: parseProtocols(required(req, HEADER.supportedProtocols)) }
    case 'Close-Session':
    case 'Cancel-Session':
      refuseBody(req)
      return { type, sessionId: sessionIdOf(req) }
  }
}

/**
 * A fragment must say how long its body is. Other packets have no body, and no Content-Length means 0 (RFC 9112 6.3): many
 * clients and proxies send none.
 *
 * @throws BitsError `length-required` (D19).
 */
export function requireLength(req: IncomingMessage, type: PacketType): void {
  if (req.headers['transfer-encoding'] !== undefined) {
    throw new BitsError('length-required', 'The body is chunked: send it with a Content-Length.')
  }
  if (type === 'Fragment' && contentLength(req) === undefined) {
    throw new BitsError('length-required', 'The fragment has no Content-Length.')
  }
}

/** Bytes of the body that the head announces; `undefined` when it announces none, or is chunked. */
export function contentLength(req: IncomingMessage): number | undefined {
  const value = req.headers['content-length']
  return value === undefined || req.headers['transfer-encoding'] !== undefined ? undefined : Number(value)
}

function readFragment(req: IncomingMessage): FragmentPacket {
  const sessionId = sessionIdOf(req)
  const coding = header(req, 'Content-Encoding')?.trim().toLowerCase()
  if (coding !== undefined && coding !== 'identity') {
    throw new BitsError('malformed-packet', `Content-Encoding "${coding}" came: only identity is accepted.`)
  }
  const range = parseContentRange(required(req, HEADER.contentRange).trim())
  const length = contentLength(req)
  if (length !== undefined && length !== rangeLength(range)) {
    throw new BitsError(
      'invalid-range',
      `Content-Length is ${length}, while Content-Range spans ${rangeLength(range)} bytes.`,
    )
  }
  return { type: 'Fragment', sessionId, range }
}

function sessionIdOf(req: IncomingMessage): string {
  const id = required(req, HEADER.sessionId).trim()
  if (id.length > MAX_SESSION_ID_LENGTH) {
    throw new BitsError(
      'malformed-packet',
      `${HEADER.sessionId} has more than ${MAX_SESSION_ID_LENGTH} characters.`,
    )
  }
  return id
}

/** Only fragments have a body (MC-BUP 2.2.2.3, 2.2.4.3, 2.2.8.3, 2.2.10.3). */
function refuseBody(req: IncomingMessage): void {
  if ((contentLength(req) ?? 0) > 0) {
    throw new BitsError(
      'malformed-packet',
      `A packet that has no body came with ${contentLength(req)} bytes.`,
    )
  }
}

/** The limit is for the headers of the protocol (MC-BUP 2.2.1, D35): tokens, tickets and those of proxies may be longer. */
function refuseLongHeaders({ rawHeaders }: IncomingMessage): void {
  const long = rawHeaders.findIndex(
    (text, n) =>
      n % 2 === 1 && text.length > MAX_HEADER_LENGTH && PROTOCOL_HEADER.test(rawHeaders[n - 1] ?? ''),
  )
  if (long < 0) return
  throw new BitsError(
    'header-too-long',
    `The header ${rawHeaders[long - 1]} is over ${MAX_HEADER_LENGTH} bytes.`,
  )
}

function unknownType(req: IncomingMessage): BitsError {
  const value = header(req, HEADER.packetType)
  return value === undefined
    ? new BitsError('malformed-packet', `The request has no ${HEADER.packetType}.`)
    : new BitsError('unknown-packet-type', `There is no packet type "${value}".`)
}

function required(req: IncomingMessage, name: string): string {
  const value = header(req, name)
  if (value === undefined || value.trim() === '') {
    throw new BitsError('malformed-packet', `The request has no ${name}.`)
  }
  return value
}

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}
