import type { IncomingMessage } from 'node:http'
import type { FragmentPacket, Packet, PacketType } from '../../types/packets.js'
import { BitsError } from '../protocol/bits-error.js'
import { parseContentRange, rangeLength } from '../protocol/content-range.js'
import { parseProtocols } from '../protocol/guids.js'
import { HEADER, MAX_HEADER_LENGTH } from '../protocol/headers.js'
import { MAX_SESSION_ID } from '../protocol/limits.js'
import { parseReprDigest } from '../protocol/parse-repr-digest.js'
import { formatReprDigest, REPR_DIGEST } from '../protocol/repr-digest.js'
import { sessionKey } from '../protocol/session-id.js'

const PROTOCOL_HEADER = /^(?:bits|content)-/i
const TYPES: readonly PacketType[] = ['Ping', 'Create-Session', 'Fragment', 'Close-Session', 'Cancel-Session']

/** The headers that identify a packet, read once: errors of a malformed packet need them, too. */
export interface PacketHead {
  /** In any case on the wire; `undefined` if the request has none, or an unknown one. */
  readonly type: PacketType | undefined
  /** As the client sent it, without surrounding spaces; `undefined` when it is missing, empty or too long. */
  readonly sessionId: string | undefined
  /** Upload id of the session; `undefined` when the session id was not issued by a server of this kind. */
  readonly uploadId: string | undefined
}

/** Reads what identifies a packet. Never throws. */
export function readHead(req: IncomingMessage): PacketHead {
  const value = header(req, HEADER.packetType)?.trim().toLowerCase()
  const type = TYPES.find((name) => name.toLowerCase() === value)
  const id = header(req, HEADER.sessionId)?.trim()
  const sessionId = id === undefined || id === '' || id.length > MAX_SESSION_ID ? undefined : id
  return { type, sessionId, uploadId: sessionId && sessionKey(sessionId) }
}

/**
 * Parses the head of a request as a packet (MC-BUP 2.2). Here, Content-Length is checked only against the rest; that
 * it is present is checked after authorization ({@link requireLength}).
 * @throws BitsError for each violation of the message rules.
 */
export function readPacket(req: IncomingMessage, { type, sessionId }: PacketHead): Packet {
  if (req.httpVersion !== '1.1' && req.httpVersion !== '1.0') {
    throw new BitsError(
      'malformed-packet',
      `The request uses HTTP/${req.httpVersion}: serve BITS from a server of node:http or node:https.`,
    )
  }
  if (req.headers.host?.trim() === '') throw new BitsError('malformed-packet', 'The Host header is empty.')
  refuseLongHeaders(req)
  switch (type) {
    case undefined:
      throw unknownType(req)
    case 'Fragment':
      return readFragment(req, sessionId ?? refuseSessionId(req))
    case 'Ping':
      refuseBody(req)
      return { type }
    case 'Create-Session':
      refuseBody(req)
      return {
        type,
        protocols: parseProtocols(required(req, HEADER.supportedProtocols)),
        expectedDigest: readExpectedDigest(req),
      }
    case 'Close-Session':
    case 'Cancel-Session':
      refuseBody(req)
      return { type, sessionId: sessionId ?? refuseSessionId(req) }
  }
}

/** Only in Create-Session: custom headers of a Windows job are in all of its packets. */
function readExpectedDigest(req: IncomingMessage): string | undefined {
  const value = header(req, REPR_DIGEST)
  const digests = value === undefined ? [] : parseReprDigest(value)
  return digests.length === 0 ? undefined : formatReprDigest(digests)
}

/**
 * A fragment must state the length of its body. Other packets have no body, and no Content-Length means 0 (RFC 9112
 * 6.3): many clients and proxies send none.
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

/** Length of the body in bytes according to the head; `undefined` when it has no length, or the body is chunked. */
export function contentLength(req: IncomingMessage): number | undefined {
  const value = req.headers['content-length']
  return value === undefined || req.headers['transfer-encoding'] !== undefined ? undefined : Number(value)
}

function readFragment(req: IncomingMessage, sessionId: string): FragmentPacket {
  const coding = header(req, 'Content-Encoding')?.trim().toLowerCase()
  if (coding !== undefined && coding !== 'identity') {
    throw new BitsError('malformed-packet', `Content-Encoding is "${coding}": only identity is supported.`)
  }
  const range = parseContentRange(required(req, HEADER.contentRange).trim())
  const length = contentLength(req)
  if (length !== undefined && length !== rangeLength(range)) {
    throw new BitsError(
      'invalid-range',
      `Content-Length is ${length}, but Content-Range spans ${rangeLength(range)} bytes.`,
    )
  }
  return { type: 'Fragment', sessionId, range }
}

function refuseSessionId(req: IncomingMessage): never {
  required(req, HEADER.sessionId)
  throw new BitsError('malformed-packet', `${HEADER.sessionId} has more than ${MAX_SESSION_ID} characters.`)
}

/** Only fragments have a body (MC-BUP 2.2.2.3, 2.2.4.3, 2.2.8.3, 2.2.10.3). */
function refuseBody(req: IncomingMessage): void {
  if ((contentLength(req) ?? 0) > 0) {
    throw new BitsError(
      'malformed-packet',
      `A packet of a type without body has a body of ${contentLength(req)} bytes.`,
    )
  }
}

/**
 * The limit applies to headers of the protocol (MC-BUP 2.2.1, D35): tokens, tickets and headers of proxies may be
 * longer.
 */
function refuseLongHeaders({ rawHeaders }: IncomingMessage): void {
  const long = rawHeaders.findIndex(
    (text, n) =>
      n % 2 === 1 && text.length > MAX_HEADER_LENGTH && PROTOCOL_HEADER.test(rawHeaders[n - 1] ?? ''),
  )
  if (long < 0) return
  throw new BitsError(
    'header-too-long',
    `The header ${rawHeaders[long - 1]} is longer than ${MAX_HEADER_LENGTH} bytes.`,
  )
}

function unknownType(req: IncomingMessage): BitsError {
  const value = header(req, HEADER.packetType)
  return value === undefined
    ? new BitsError('malformed-packet', `The request has no ${HEADER.packetType}.`)
    : new BitsError('unknown-packet-type', `Unknown packet type "${value}".`)
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
