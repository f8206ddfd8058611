import type { SessionState } from './session.js'
import type { StoredFile } from './storage.js'

/** A session as events and `bits.sessions()` show it. It carries no secret: the session id is not in it. */
export interface SessionInfo {
  /** The {@link StagedUpload.id | upload id}: tells sessions apart in logs and pages. */
  readonly uploadId: string
  readonly destination: string
  /** Path of the destination on the server, mount point included. */
  readonly path: string
  readonly user?: string | undefined
  readonly state: SessionState
  /** Bytes held. */
  readonly received: number
  /** Size of the whole file in bytes; `undefined` before the first fragment. */
  readonly total?: number | undefined
  /** Bytes per second of late; 0 when nothing is on its way, or not for long enough to tell. */
  readonly rate: number
  readonly createdAt: Date
  readonly lastActivity: Date
}

/** A file that has arrived. */
export interface UploadedFile extends StoredFile {
  readonly session: SessionInfo
}

/** Where an error came from, for the `error` event. */
export interface ErrorOrigin {
  /** Path of the request, without its query; `undefined` outside of requests (the sweep, for example). */
  readonly path?: string | undefined
  /** Upload id, when a session was known. */
  readonly uploadId?: string | undefined
}

/** The events of a `bitsUpload()`, with the arguments of their listeners. */
export interface BitsUploadEvents {
  /** A session was created. */
  session: [session: SessionInfo]
  /** Bytes arrived: with each fragment, and about twice a second while a long one is on its way. */
  progress: [session: SessionInfo]
  /**
   * A file is published and durable. Raised once a file, and never again when the process dies just then: what must be
   * done belongs into `onUpload`.
   */
  uploaded: [file: UploadedFile]
  /** A client cancelled, or closed before the last byte (its state says which): nothing was published. */
  cancelled: [session: SessionInfo]
  /** A session was idle for longer than `sessionTimeout`, and is gone. */
  expired: [session: SessionInfo]
  /** Something went wrong that nobody foresaw, in `onUpload` too; the client was told to try again later. */
  error: [error: Error, origin: ErrorOrigin]
}
