import type { PacketType } from '../../types/packets.js'
import { HEADER } from '../protocol/headers.js'
import { readAck } from '../uploader/ack.js'
import { BitsClientError } from '../uploader/client-error.js'
import { packetFields, type SendPacket } from '../uploader/packet.js'
import { fetchedHead, isOtherOrigin, request } from './request.js'
import type { BrowserSettings } from './settings.js'

/** @param signal of the user; absent for the packet that follows when it has aborted. */
export function fetchPacketSender(
  file: Blob,
  settings: Pick<BrowserSettings, 'headers' | 'credentials' | 'requestTimeout'>,
  signal: AbortSignal | undefined,
): SendPacket {
  return async (url, packet) => {
    const { type: kind, range, length } = packet
    const headers = { ...packetFields(packet), ...settings.headers }
    const body = range && length > 0 ? await fragmentBytes(file, range.first, range.last + 1) : undefined
    const outgoing = { kind, method: 'BITS_POST', url, headers, ...(body && { body }) }
    return request(outgoing, settings, signal, async (response) => {
      // An Ack has no body; that of an error page is not read.
      await response.body?.cancel()
      const head = fetchedHead(response)
      if (response.ok && isOtherOrigin(url) && head.header(HEADER.packetType) === undefined)
        throw notExposed(kind)
      return readAck(kind, outgoing, head)
    })
  }
}

/** Read here and not by fetch(), which gives no reason if the file has changed on disk. */
async function fragmentBytes(file: Blob, start: number, end: number): Promise<ArrayBuffer> {
  try {
    return await file.slice(start, end).arrayBuffer()
  } catch (cause) {
    throw new BitsClientError('The file cannot be read, or has changed.', {
      fatal: true,
      cause,
    })
  }
}

const notExposed = (packet: PacketType): BitsClientError =>
  new BitsClientError(
    'The response has no BITS-Packet-Type: this URL does not speak BITS, or Access-Control-Expose-Headers lacks it.',
    { fatal: true, packet },
  )
