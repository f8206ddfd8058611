import type { Agent } from 'node:http'
import type { ConnectionOptions } from 'node:tls'
import type { Authenticate } from '../../types/authenticate.js'
import type { FileDigest } from '../../types/digest.js'
import type { UploadFailure, UploadProgress, UploadState } from '../uploader/upload-types.js'

/** TLS options of the client, as in `node:tls`. */
export type TlsOptions = Pick<
  ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'passphrase'
  | 'pfx'
  | 'ciphers'
  | 'minVersion'
  | 'maxVersion'
  | 'rejectUnauthorized'
  | 'checkServerIdentity'
  | 'servername'
>

/** Options of `uploadFile()` and `UploadJob`. All are optional; `undefined` means the default. */
export interface UploadOptions {
  /**
   * Largest fragment in bytes, 5,120 (5 KB) to 13,631,488 (13 MB). Default: 4,194,304 (4 MiB). The client sends smaller
   * ones after a 413 and, for a while, after a broken connection.
   */
  fragmentSize?: number | undefined
  /**
   * Sent with every request, such as `Authorization`; also to the host that the server names in `BITS-Host-Id`, see
   * {@link followHostId}. A reply on another origin is fetched without them.
   */
  headers?: Record<string, string> | undefined
  /**
   * Provides the `Authorization` of each request: `negotiateClient()` of `express-bits-upload/negotiate` for Kerberos, or a
   * function of your own for tokens that expire. It is called for each host that requests go to, see {@link followHostId};
   * a reply on another origin is fetched without it. While it throws, the upload waits and tries again.
   */
  authenticate?: Authenticate | undefined
  /** Default: `Microsoft BITS/7.8`, as on Windows 10 and 11. */
  userAgent?: string | undefined
  /**
   * Makes the connections: an `https.Agent` for `https:`, or an agent for a proxy, such as those of `https-proxy-agent`
   * and `http-proxy-agent`. It is not destroyed. Default: an agent for this upload, with one kept-alive connection,
   * destroyed at the end; environment variables such as `HTTPS_PROXY` have no effect.
   */
  agent?: Agent | undefined
  /** Certificates and other settings for `https:`. Default: Node's. */
  tls?: TlsOptions | undefined
  /** Stops the upload, which then rejects with the signal's reason. See {@link cancelOnAbort}. */
  signal?: AbortSignal | undefined
  /**
   * Cancel the session on the server when {@link signal} aborts, if the server can be reached within a few seconds.
   * Default: true. If false, the session stays, and {@link resume} can continue it.
   */
  cancelOnAbort?: boolean | undefined
  /**
   * Follow `BITS-Host-Id`, by which a server sends clients to the host that keeps the session (MC-BUP 2.2.3.2). That
   * host receives everything that the host in the URL would: credentials, {@link headers} and the file, over the scheme
   * of the URL, so that `https:` never becomes `http:`. With false, the header is ignored, and all requests go to the
   * host in the URL; if servers share no storage, that host may not know the session. Default: true.
   */
  followHostId?: boolean | undefined
  /**
   * Read the content once before the upload, and send its checksum of this algorithm (`Repr-Digest`, RFC 9530) with
   * Create-Session: a server of this package refuses the file if other bytes arrive. Default: none.
   */
  digest?: FileDigest['algorithm'] | undefined
  /** Continue an earlier upload of the same file, from a state that {@link onState} received. */
  resume?: UploadState | undefined
  /** Called for every chunk passed to the connection and for every Ack. */
  onProgress?: ((progress: UploadProgress) => void) | undefined
  /** Called with each new state that {@link resume} can use: after Create-Session and after every fragment. */
  onState?: ((state: UploadState) => void) | undefined
  /** Called for every failure, before it is handled. */
  onFailure?: ((failure: UploadFailure) => void) | undefined
  /** Consecutive failures without progress before giving up. Default: 10. `Infinity` is allowed. */
  retries?: number | undefined
  /**
   * How many times in a row to start from the beginning because the server does not know the session, without getting
   * further than before. Default: 3.
   */
  restarts?: number | undefined
  /**
   * Milliseconds before the first retry; each further delay is twice as long, less a random part of up to half.
   * Default: 1,000.
   */
  minRetryDelay?: number | undefined
  /** Maximum delay in milliseconds. Default: 60,000. */
  maxRetryDelay?: number | undefined
  /** Milliseconds for making a connection, and then for sending each part of a request. Default: 120,000. */
  sendTimeout?: number | undefined
  /**
   * Milliseconds to wait for an Ack, and for each part of a reply. Default: 300,000: the Ack of the last fragment
   * waits for the server application.
   */
  responseTimeout?: number | undefined
  /**
   * Path for the server application's reply, if there is one. A file appears when the reply is complete, replacing an
   * existing one; a pipe or a device receives the reply as it arrives. Whether it can be written is checked before
   * anything is sent. Default: memory, as `reply` of the result.
   */
  replyTo?: string | undefined
  /** Largest reply in bytes. Default: 1,048,576 (1 MiB), as for Windows' GetReplyData; none with {@link replyTo}. */
  maxReplySize?: number | undefined
}

/** A finished upload. */
export interface UploadResult {
  /** Id of the session that transferred the file; a restart creates a new session. */
  readonly sessionId: string
  /** Size of the file. */
  readonly bytes: number
  /** URL of the reply, if the server application returned one. */
  readonly replyUrl?: string
  /** The reply, unless `replyTo` was given. */
  readonly reply?: Buffer
}
