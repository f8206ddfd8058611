import type { UploadFailure, UploadProgress } from '../uploader/upload-types.js'

/** Where saved states are kept: `localStorage`, `sessionStorage`, or a similar object. */
export interface StateStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** Options of `uploadFile()` in a browser. All are optional. */
export interface BrowserUploadOptions {
  /**
   * Largest fragment in bytes, 5,120 (5 KB) to 13,631,488 (13 MB). Default: 1,048,576 (1 MiB). A fragment is one
   * request: progress advances by fragments, and an interrupted fragment is sent again.
   */
  fragmentSize?: number | undefined
  /** Sent with every request, such as `Authorization`; a reply on another origin is fetched without them. */
  headers?: Record<string, string> | undefined
  /** Cookies and the like, as in `fetch()`. Default: `same-origin`. */
  credentials?: 'omit' | 'same-origin' | 'include' | undefined
  /** Stops the upload, which then rejects with the signal's reason. See {@link cancelOnAbort}. */
  signal?: AbortSignal | undefined
  /**
   * Cancel the session on the server when {@link signal} aborts. Default: true. With false, it stays, and a later call
   * with the same file and URL continues the upload.
   */
  cancelOnAbort?: boolean | undefined
  /** Called after every Ack. `sent` is what the server has acknowledged, because browsers report no more. */
  onProgress?: ((progress: UploadProgress) => void) | undefined
  /** Called for every failure, before it is handled. */
  onFailure?: ((failure: UploadFailure) => void) | undefined
  /**
   * Continue an earlier upload of the same file to the same URL, after a reload of the page, too. The state is kept in
   * {@link storage}; the user has to choose the file again, as a page cannot open it by itself, and its name, size and
   * date have to be the same. Default: true for a `File`; a `Blob` has no name and date, so it starts over. With false,
   * an earlier state is dropped, and none is saved.
   */
  resume?: boolean | undefined
  /**
   * Where states are kept. Default: `localStorage`, which any script of this origin can read and use to continue or
   * cancel the upload.
   */
  storage?: StateStorage | undefined
  /** Follow `BITS-Host-Id` to another host, with {@link headers}; see `followHostId` of the Node client. Default: true. */
  followHostId?: boolean | undefined
  /** Consecutive failures before giving up. Default: 10. `Infinity` is allowed. */
  retries?: number | undefined
  /** How many times in a row to start over for a server that does not know the session. Default: 3. */
  restarts?: number | undefined
  /** Milliseconds before the first retry; each further one doubles it, less a random part of up to half. Default: 1,000. */
  minRetryDelay?: number | undefined
  /** Milliseconds; no delay is longer. Default: 60,000. */
  maxRetryDelay?: number | undefined
  /** Milliseconds for one request, its Ack included. Default: 300,000. */
  requestTimeout?: number | undefined
}

/** A finished upload. */
export interface BrowserUploadResult {
  /** Id of the session that transferred the file. */
  readonly sessionId: string
  /** Size of the file. */
  readonly bytes: number
  /** Where the reply was, if the server application gave one. */
  readonly replyUrl?: string
  /** The reply, of any size: browsers keep a large Blob on disk. */
  readonly reply?: Blob
}
