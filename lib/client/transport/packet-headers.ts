import type { ContentRange, PacketType } from '../../../types/packets.js'
import { BITS_UPLOAD_PROTOCOL } from '../../protocol/guids.js'
import { HEADER } from '../../protocol/headers.js'

/** A packet to send: what its headers are made of. */
export interface OutgoingPacket {
  readonly type: PacketType
  readonly sessionId?: string | undefined
  readonly contentName?: string | undefined
  readonly range?: ContentRange
  /** Bytes of the body. */
  readonly length: number
}

export interface CommonHeaders {
  readonly userAgent: string
  /** Of the user; they follow those of the protocol and may replace Accept and User-Agent. */
  readonly custom: Readonly<Record<string, string>>
}

/** Headers of a packet, in the order in which Windows sends them (captures of MC-BUP 4). */
export function packetHeaders(
  packet: OutgoingPacket,
  url: URL,
  common: CommonHeaders,
): Record<string, string> {
  const { range } = packet
  return inOrder(url, common, packet.length, {
    [HEADER.packetType]: packet.type,
    [HEADER.supportedProtocols]: packet.type === 'Create-Session' ? `{${BITS_UPLOAD_PROTOCOL}}` : undefined,
    [HEADER.sessionId]: packet.sessionId,
    [HEADER.contentName]: packet.contentName,
    [HEADER.contentRange]: range && contentRangeOf(range),
  })
}

/** An empty file has no first and no last byte (D16). */
const contentRangeOf = ({ first, last, total }: ContentRange): string =>
  total === 0 ? 'bytes */0' : `bytes ${first}-${last}/${total}`

/** Headers of the request for a piece of a reply, `last` included. */
export function replyHeaders(
  url: URL,
  common: CommonHeaders,
  first: number,
  last: number,
): Record<string, string> {
  return inOrder(url, common, undefined, {
    'Accept-Encoding': 'identity',
    Range: `bytes=${first}-${last}`,
  })
}

function inOrder(
  url: URL,
  { userAgent, custom }: CommonHeaders,
  length: number | undefined,
  own: Record<string, string | undefined>,
): Record<string, string> {
  const taken = new Set(Object.keys(custom).map((name) => name.toLowerCase()))
  const entries: [string, string | undefined][] = [
    ['Accept', taken.has('accept') ? undefined : '*/*'],
    ...Object.entries(own),
    ...Object.entries(custom),
    ['User-Agent', taken.has('user-agent') ? undefined : userAgent],
    ['Host', url.host],
    ['Content-Length', length?.toString()],
    ['Connection', 'Keep-Alive'],
  ]
  const headers: Record<string, string> = {}
  for (const [name, value] of entries) if (value !== undefined) headers[name] = value
  return headers
}

/** MC-BUP note 3 */
const MAX_CONTENT_NAME = 260

/**
 * `Content-Name` of a file: its name, percent-encoded where a header or Windows could not bear it. No server makes use
 * of it, so that one too long is left out.
 */
export function contentNameOf(fileName: string): string | undefined {
  const name = fileName.replace(/[^\x20-\x7e]|[\\/:*?"<>|]/gu, percentEncode)
  return name.length <= MAX_CONTENT_NAME && name.trim() !== '' ? name : undefined
}

const percentEncode = (character: string): string =>
  Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&')
