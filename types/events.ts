import type { FileDigest } from './digest.js'
import type { SessionState } from './session.js'
import type { StoredFile } from './storage.js'

/** A session as events and `bits.sessions()` show it. It contains no secret, in particular not the session id. */
export interface SessionInfo {
  /** The upload id: distinguishes sessions in logs and pages. */
  readonly uploadId: string
  readonly destination: string
  /** Path of the destination on the server, mount point included. */
  readonly path: string
  readonly user?: string | undefined
  readonly state: SessionState
  /**
   * Bytes received. For a session that another process serves, the value comes from the session store and may lag
   * behind.
   */
  readonly received: number
  /** Size of the whole file in bytes; `undefined` before the first fragment. */
  readonly total?: number | undefined
  /** Recent bytes per second; 0 when nothing is being uploaded, or too briefly to measure. */
  readonly rate: number
  /**
   * Address of the client that sent the latest fragment, as Express determines it (`trust proxy`). `undefined` if this
   * process has received none recently.
   */
  readonly address?: string | undefined
  /** Bytes of the latest fragment, as the client announced it; `undefined` in the same cases. */
  readonly fragmentSize?: number | undefined
  readonly createdAt: Date
  readonly lastActivity: Date
}

/**
 * What `bits.cancel()` did. `cancelled`: the upload is cancelled, or was before. `published`: the file is published, or
 * the application did not want it at its destination; nothing was changed. `not-found`: no session has this upload id,
 * or its client has closed it.
 */
export type CancelResult = 'cancelled' | 'published' | 'not-found'

/** A file that was uploaded. */
export interface UploadedFile extends StoredFile {
  readonly session: SessionInfo
  /** As in `CompletedUpload.digest`. */
  readonly digest?: FileDigest
}

/** The origin of an error, for the event `error`. */
export interface ErrorOrigin {
  /** Path of the request, without its query; `undefined` outside requests (in the sweep, for example). */
  readonly path?: string | undefined
  /** Upload id, if the session is known. */
  readonly uploadId?: string | undefined
}

/** Why the application rejected an upload. */
export interface UploadRefusal {
  /** HTTP status of the Ack. After most 4xx a client gives up; after others it tries again later. */
  readonly status: number
  readonly message: string
}

/** The events of a `bitsUpload()`, with the arguments of their listeners. */
export interface BitsUploadEvents {
  /** A session was created. */
  session: [session: SessionInfo]
  /** Bytes arrived: emitted for each fragment, and about twice a second during a long one. */
  progress: [session: SessionInfo]
  /**
   * A file is published and durable. Emitted once per file, and lost if the process dies at that moment: put required
   * work in `onUpload`.
   */
  uploaded: [file: UploadedFile]
  /**
   * A client or `bits.cancel()` cancelled the upload, or a client closed its session before the last byte (see its
   * state): nothing was published.
   */
  cancelled: [session: SessionInfo]
  /**
   * The application rejected a complete upload, and chose the status that the client receives. Also emitted for an
   * unanswered notification. Unexpected failures are an `error`.
   */
  refused: [session: SessionInfo, refusal: UploadRefusal]
  /** A session was idle for longer than `sessionTimeout`, and was removed. */
  expired: [session: SessionInfo]
  /**
   * An unexpected failure, including one in `onUpload`, or a storage or session store that is unavailable. The client
   * tries again later.
   */
  error: [error: Error, origin: ErrorOrigin]
}
