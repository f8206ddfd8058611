import { finished } from 'node:stream/promises'
import { type AckFields, readAck } from './ack.js'
import { type CommonHeaders, type OutgoingPacket, packetHeaders } from './packet-headers.js'
import { type RequestOptions, sendRequest } from './send-request.js'

export interface PacketBody {
  readonly bytes: AsyncIterable<Buffer>
  readonly onSent: (bytes: number) => void
}

/** Sends one packet and reads its Ack. @throws BitsClientError */
export function sendPacket(
  line: RequestOptions,
  url: URL,
  packet: OutgoingPacket,
  common: CommonHeaders,
  body?: PacketBody,
): Promise<AckFields> {
  const headers = packetHeaders(packet, url, common)
  const request = { kind: packet.type, method: 'BITS_POST', url, headers } as const
  const withBody = body ? { ...request, body: body.bytes, onSent: body.onSent } : request
  return sendRequest(line, withBody, async (response) => {
    // An Ack has no body, but a proxy's error page has one.
    await finished(response.resume())
    return readAck(packet.type, request, response)
  })
}
