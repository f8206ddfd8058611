import type { ContentRange, PacketType } from '../../types/packets.js'
import { BITS_UPLOAD_PROTOCOL } from '../protocol/guids.js'
import { HEADER } from '../protocol/headers.js'
import { REPR_DIGEST } from '../protocol/repr-digest.js'
import type { AckFields } from './ack.js'

/** A packet to send: the source of its headers. */
export interface OutgoingPacket {
  readonly type: PacketType
  readonly sessionId?: string | undefined
  readonly contentName?: string | undefined
  /** Checksum of the file, as `Repr-Digest`. */
  readonly digest?: string | undefined
  /** Of a fragment: the bytes that are its body. */
  readonly range?: ContentRange
  /** Bytes of the body. */
  readonly length: number
}

/**
 * Sends a packet, with the bytes of the file that its range names, and reads the Ack. Aborts with the caller's signal.
 *
 * @param onSent called with the number of bytes each time some were passed to the connection.
 * @throws BitsClientError
 */
export type SendPacket = (
  url: URL,
  packet: OutgoingPacket,
  onSent?: (bytes: number) => void,
) => Promise<AckFields>

/** Headers of the protocol, in the order in which Windows sends them (captures of MC-BUP 4). */
export function packetFields({
  type,
  sessionId,
  contentName,
  digest,
  range,
}: OutgoingPacket): Record<string, string> {
  const fields: [string, string | undefined][] = [
    [HEADER.packetType, type],
    [HEADER.supportedProtocols, type === 'Create-Session' ? `{${BITS_UPLOAD_PROTOCOL}}` : undefined],
    [HEADER.sessionId, sessionId],
    [HEADER.contentName, contentName],
    [REPR_DIGEST, digest],
    [HEADER.contentRange, range && contentRangeOf(range)],
  ]
  const headers: Record<string, string> = {}
  for (const [name, value] of fields) if (value !== undefined) headers[name] = value
  return headers
}

/** An empty file has no first and no last byte (D16). */
const contentRangeOf = ({ first, last, total }: ContentRange): string =>
  total === 0 ? 'bytes */0' : `bytes ${first}-${last}/${total}`

/** MC-BUP note 3 */
const MAX_CONTENT_NAME = 260

/**
 * `Content-Name` of a file: its name, percent-encoded where a header or Windows would not accept it. Servers ignore it,
 * so one that is too long is left out.
 */
export function contentNameOf(fileName: string): string | undefined {
  const name = fileName.replace(/[^\x20-\x7e]|[\\/:*?"<>|]/gu, percentEncode)
  return name.length <= MAX_CONTENT_NAME && name.trim() !== '' ? name : undefined
}

const percentEncode = (character: string): string =>
  Array.from(new TextEncoder().encode(character), (byte) => {
    const hex = byte.toString(16).toUpperCase().padStart(2, '0')
    return `%${hex}`
  }).join('')
