import type { BitsClientError } from './client-error.js'

/** Bytes. */
export interface UploadProgress {
  /** Handed to the connection. Falls back to `acknowledged` when a fragment has to be sent again. */
  readonly sent: number
  /** What the server says it has. */
  readonly acknowledged: number
  /** Size of the file. */
  readonly total: number
}

/** A failure that the upload may survive. */
export interface UploadFailure {
  readonly error: BitsClientError
  /** Failures in a row without progress, this one included. */
  readonly failures: number
  /** Milliseconds until the next try; absent when there will be none. */
  readonly delay: number | undefined
}

/** The state another process needs to continue an upload; plain data for `JSON.stringify`. Keep it as private as the session id. */
export interface UploadState {
  readonly sessionId: string
  /** Bytes acknowledged. A hint: the server's own count is asked and followed. */
  readonly offset: number
  /** Size of the file in bytes, and time of its last change in milliseconds: another file must not be mixed in. */
  readonly size: number
  readonly modified: number
  readonly hostId?: string | undefined
  /** Seconds. */
  readonly hostIdFallbackTimeout?: number | undefined
  /** Where the reply is, once the whole file is acknowledged. */
  readonly replyUrl?: string | undefined
}
