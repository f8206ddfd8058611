import { finished } from 'node:stream/promises'
import { type AckFields, readAck } from '../../uploader/ack.js'
import type { OutgoingPacket, SendPacket } from '../../uploader/packet.js'
import { type CommonHeaders, packetHeaders } from './packet-headers.js'
import { hintFor } from './refusal-hint.js'
import { headOf } from './response-head.js'
import { type RequestOptions, sendRequest } from './send-request.js'

/** Reads bytes of the file from `start` up to, not including, `end`. */
export type ReadBytes = (start: number, end: number) => AsyncIterable<Buffer>

/** @param read is needed for fragments only. */
export function packetSender(line: RequestOptions, common: CommonHeaders, read?: ReadBytes): SendPacket {
  return (url, packet, onSent) => sendPacket(line, url, packet, common, fragmentBody(packet, read), onSent)
}

const fragmentBody = (
  { range, length }: OutgoingPacket,
  read: ReadBytes | undefined,
): AsyncIterable<Buffer> | undefined =>
  range && length > 0 ? read?.(range.first, range.last + 1) : undefined

/** Sends one packet and reads its Ack. @throws BitsClientError */
function sendPacket(
  line: RequestOptions,
  url: URL,
  packet: OutgoingPacket,
  common: CommonHeaders,
  body: AsyncIterable<Buffer> | undefined,
  onSent: ((bytes: number) => void) | undefined,
): Promise<AckFields> {
  const headers = packetHeaders(packet, url, common)
  const authenticated = line.authenticate !== undefined
  const request = {
    kind: packet.type,
    method: 'BITS_POST',
    url,
    headers,
    authenticated,
    hint: hintFor,
  } as const
  const withBody = { ...request, ...(body && { body }), ...(onSent && { onSent }) }
  return sendRequest(line, withBody, async (response) => {
    // An Ack has no body, but a proxy's error page has one.
    await finished(response.resume())
    return readAck(packet.type, request, headOf(response))
  })
}
