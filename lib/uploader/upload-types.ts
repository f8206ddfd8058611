import type { BitsClientError } from './client-error.js'

/** Bytes. */
export interface UploadProgress {
  /** Handed to the connection. Falls back to `acknowledged` when a fragment has to be sent again. */
  readonly sent: number
  /** Acknowledged by the server. */
  readonly acknowledged: number
  /** Size of the file. */
  readonly total: number
}

/** A failure that the upload may survive. */
export interface UploadFailure {
  readonly error: BitsClientError
  /** Consecutive failures without progress, including this one. */
  readonly failures: number
  /** Milliseconds until the next attempt; absent if there will be none. */
  readonly delay: number | undefined
}

/** The state another process needs to continue an upload; plain data for `JSON.stringify`. Keep it as private as the session id. */
export interface UploadState {
  readonly sessionId: string
  /** Bytes acknowledged. A hint: the server's own count takes precedence. */
  readonly offset: number
  /**
   * Size of the file in bytes, and time of its last change in milliseconds: bytes of different files must not be mixed.
   */
  readonly size: number
  readonly modified: number
  readonly hostId?: string | undefined
  /** Seconds. */
  readonly hostIdFallbackTimeout?: number | undefined
  /** Where the reply is, once the whole file is acknowledged. */
  readonly replyUrl?: string | undefined
}
