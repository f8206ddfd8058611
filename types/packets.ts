/** The bytes in a fragment: `bytes first-last/total`, inclusive, counted from 0. An empty file's last is -1. */
export interface ContentRange {
  readonly first: number
  readonly last: number
  /** Size of the whole file in bytes. */
  readonly total: number
}

export interface PingPacket {
  readonly type: 'Ping'
}

export interface CreateSessionPacket {
  readonly type: 'Create-Session'
  /** Protocol GUIDs, lower-case without braces, most preferred first; at most 100. */
  readonly protocols: readonly string[]
  /** `Repr-Digest` (RFC 9530) with the algorithms that this server knows; `undefined` when there is none. */
  readonly expectedDigest: string | undefined
}

export interface FragmentPacket {
  readonly type: 'Fragment'
  readonly sessionId: string
  readonly range: ContentRange
}

export interface CloseSessionPacket {
  readonly type: 'Close-Session'
  readonly sessionId: string
}

export interface CancelSessionPacket {
  readonly type: 'Cancel-Session'
  readonly sessionId: string
}

/** A request of the BITS Upload Protocol (MC-BUP 2.2), told apart by `type`. */
export type Packet =
  | PingPacket
  | CreateSessionPacket
  | FragmentPacket
  | CloseSessionPacket
  | CancelSessionPacket

export type PacketType = Packet['type']

/** The response to a packet: always an Ack, never with a body (MC-BUP 2.2.3 to 2.2.11). */
export interface Ack {
  /** HTTP status. */
  readonly status: number
  /** Headers in addition to those that every Ack has. */
  readonly headers: Readonly<Record<string, string>>
}
