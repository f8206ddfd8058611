import type { PacketType } from './packets.js'

/**
 * The message of the tracing channel `express-bits-upload:packet`: one object per packet. `start` has its first fields,
 * `asyncEnd` all of them.
 */
export interface PacketTrace {
  /** The `bitsUpload()` that serves the packet. */
  readonly bits: object
  /** `BITS_POST`, or `POST` with the option `acceptPost`. */
  readonly method: string
  /** Path of the request, without its query. */
  readonly path: string
  /** `undefined` when the request has no packet type, or an unknown one. */
  readonly packet: PacketType | undefined
  /** Length of the body in bytes, as the client announced it. */
  readonly bytes: number
  /** Upload id; for Create-Session, set at the end. */
  uploadId: string | undefined
  /** Checked relative path; set at the end, when the packet was well-formed. */
  destination: string | undefined
  /** HTTP status of the Ack; `undefined` until the end, and when the client disconnected before it was sent. */
  status: number | undefined
  /** The `BITS-Error-Code` of the Ack, such as `0x80070005`. */
  hresult: string | undefined
}

/** The component that an operation belongs to. */
export type OperationTarget = 'storage' | 'sessions' | 'delivery'

/**
 * The message of the tracing channel `express-bits-upload:operation`: one object per call of a storage, a session store,
 * or the application.
 */
export interface OperationTrace {
  /** The `bitsUpload()` that made the call. */
  readonly bits: object
  readonly on: OperationTarget
  /** Name of the adapter's method; `onUpload` or `notification` for deliveries. */
  readonly operation: string
  /** `undefined` when the call is not for a single upload. */
  readonly uploadId: string | undefined
  /** Bytes that `append`, `publish` or `writeReply` have stored; set at the end. */
  bytes: number | undefined
  /** The error that the call failed with. */
  error?: unknown
}

/** Whether storage and session store can be used: `ok`, or the problem. */
export interface BitsHealth {
  readonly storage: string
  readonly sessions: string
}
