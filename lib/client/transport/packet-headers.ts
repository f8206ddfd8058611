import { type OutgoingPacket, packetFields } from '../../uploader/packet.js'

export interface CommonHeaders {
  readonly userAgent: string
  /** Set by the user; they follow those of the protocol and may replace Accept and User-Agent. */
  readonly custom: Readonly<Record<string, string>>
}

/** Headers of a packet, in the order in which Windows sends them (captures of MC-BUP 4). */
export const packetHeaders = (
  packet: OutgoingPacket,
  url: URL,
  common: CommonHeaders,
): Record<string, string> => inOrder(url, common, packet.length, packetFields(packet))

/** Headers of the request for a part of a reply, `last` included. */
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
  own: Record<string, string>,
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
