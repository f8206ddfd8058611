import type { Request } from 'express'
import type { CompletedUpload, NotificationOptions, Reply, UploadResponse } from './delivery.js'
import type { FileDigest } from './digest.js'
import type { SessionStore } from './session.js'
import type { StorageAdapter } from './storage.js'

/** Receives log messages: `console`, pino, winston and similar loggers can be passed directly. */
export interface Logger {
  debug?(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/**
 * A function option. It is typed as a method, so that `req` may have the type that an app uses for its own requests.
 */
type Callback<Parameters extends unknown[], Answer> = { call(...given: Parameters): Answer }['call']

/** Options of `bitsUpload()`. All are optional; `undefined` means the default. */
export interface BitsUploadOptions {
  /** Where the files go. Default: a `FileStorage` in {@link directory}. Set this or {@link directory}, not both. */
  storage?: StorageAdapter | undefined
  /** Short for `storage: new FileStorage({ directory })`. Default: `./uploads`, relative to the working directory. */
  directory?: string | undefined
  /**
   * Where sessions are stored. Default: a `FileSessionStore` next to a `FileStorage`, so that sessions survive a
   * restart; a `MemorySessionStore` with any other storage.
   */
  sessionStore?: SessionStore | undefined
  /**
   * Largest file, in bytes; a larger one is refused with 500 + 0x80200020 (BG_E_TOO_LARGE) at its first fragment. A
   * whole number, or Infinity. Default: 2^53 - 1, the largest size that can be represented.
   */
  maxUploadSize?: number | undefined
  /**
   * Largest fragment, in bytes; a larger one is refused with 413, after which the client sends smaller ones. Default:
   * 16,777,216 (16 MiB). Windows sends up to 13 MB, and never less than 5,120 bytes (5 KB).
   */
  maxFragmentSize?: number | undefined
  /**
   * Whether an upload may replace an existing file. Default: false (403 + 0x80070005, at Create-Session and later).
   * When true, the old file stays readable until it is replaced in one step.
   */
  overwrite?: boolean | undefined
  /** Seconds without a successful packet after which a session and its data are removed. Default: 1,209,600 (14 days). */
  sessionTimeout?: number | undefined
  /**
   * Maximum number of open sessions of a user; another Create-Session is refused with 503 until one ends. A whole
   * number from 1, or Infinity. Default: 50 for users that the option {@link user} identifies, and no limit for
   * anonymous clients; a number also applies to all anonymous clients together, as if they were one user.
   */
  maxSessionsPerUser?: number | undefined
  /**
   * Maximum number of sessions that this process creates: per second, on average, with as many at once after a pause;
   * and Create-Session packets handled at the same time. Whole numbers from 1, or Infinity. One more gets 503 before
   * storage and session store are used, and its client tries again later. Default: no limit.
   */
  maxNewSessions?: { perSecond?: number | undefined; concurrent?: number | undefined } | undefined
  /**
   * Maximum bytes per second received from clients, for each session and for all together; a plain number applies to
   * all together. Default: no limit.
   */
  maxBandwidth?: number | { perSession?: number | undefined; total?: number | undefined } | undefined
  /**
   * Whether uploads are accepted. `false` answers every packet with 501 + 0x80070005, and removes all sessions and
   * their data at startup; a function is called for each packet, which gets 501 if it returns false. Default: true.
   */
  enabled?: boolean | Callback<[req: Request], boolean | Promise<boolean>> | undefined
  /**
   * Host, with an optional port, that clients use after Create-Session: for several servers that share no storage. At
   * most 300 characters. Default: none.
   */
  hostId?: string | undefined
  /**
   * Seconds during which a client tries {@link hostId} without success before it returns to the host of the URL; 0
   * means forever. Default: 86,400.
   */
  hostIdFallbackTimeout?: number | undefined
  /**
   * Seconds between two sweeps for idle sessions and orphaned staged data; one always runs at startup. Default: 43,200
   * (12 hours).
   */
  cleanupInterval?: number | undefined
  /**
   * Returns whether this request may upload to `destination`. Called for every packet. With `false`, the client gets
   * 403 + 0x80070005; throw a `BitsError`, or an error with an HTTP `status`, for another response. Default: everyone
   * may upload.
   *
   * Decide about paths here: `destination` is the checked relative path, percent-decoded and without empty segments.
   * Middleware mounted on a sub-path sees URLs as they were sent, and `/private%2Fx`, `//private/x` or `/%70rivate/x`
   * bypass it.
   */
  authorize?: Callback<[req: Request, destination: string], boolean | Promise<boolean>> | undefined
  /**
   * Returns the name of the user making the request. Other users cannot access the session. `null` and `undefined` mean
   * anonymous; any other value than a string is refused with 500 + 0x80004005, because it might not survive a restart.
   * Default: anonymous.
   */
  user?: Callback<[req: Request], string | null | undefined | Promise<string | null | undefined>> | undefined
  /**
   * Called when the last byte has arrived, before the file is published and before the Ack of the last fragment.
   * Return a reply for the client, or an {@link UploadResponse}; throw a `BitsError`, or an error with an HTTP
   * `status`, to refuse the file (with that status, context 0x7): permanently with 403, otherwise until the client
   * sends the last fragment again. Called once if all goes well; again after a failure, or if the process dies before
   * it has recorded the result. Cannot be combined with {@link notification}.
   */
  onUpload?:
    | Callback<
        [upload: CompletedUpload, req: Request],
        // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is fine here
        UploadResponse | Reply | undefined | void | Promise<UploadResponse | Reply | undefined | void>
      >
    | undefined
  /**
   * Notifies an application over HTTP, with the protocol of IIS; the application decides with
   * `BITS-Copy-File-To-Destination` whether the file goes to its destination. Default: no notification.
   */
  notification?: NotificationOptions | undefined
  /**
   * Computes the checksum of each file while its bytes arrive: `upload.digest` of {@link onUpload}, `digest` of the
   * event `uploaded`, `Repr-Digest` of a {@link notification}. After a restart, or if another process takes over an
   * upload, the staged bytes are read once after all have arrived. Default: none, at no cost; a checksum that a client
   * sends as `Repr-Digest` (RFC 9530) with Create-Session is always compared.
   */
  hash?: FileDigest['algorithm'] | undefined
  /**
   * Accept the session id as proof of identity: packets of an existing session are handled without calling {@link
   * authorize} or {@link user}, for clients that authenticate only once, at Create-Session. Anyone who learns the id
   * (from an unencrypted connection, or the log of a proxy) can then continue or cancel the upload. Default: false.
   */
  trustSessionId?: boolean | undefined
  /**
   * Returns other settings for this request, such as a tenant's quota, storage or directory. Settings that it leaves
   * out keep their value. Return the same `storage` object, or the same `directory`, each time for the same tenant:
   * each of them has its own set of sessions.
   */
  perRequest?:
    | Callback<[req: Request], RequestSettings | undefined | Promise<RequestSettings | undefined>>
    | undefined
  /** Receives log messages. Default: warnings and errors go to `console`. */
  logger?: Logger | undefined
  /**
   * Treat a `POST` with a `BITS-Packet-Type` header as `BITS_POST`, for proxies that cannot pass the verb. Default:
   * false.
   */
  acceptPost?: boolean | undefined
  /**
   * Enable the verb `BITS_POST` on all HTTP servers of this process, as connections arrive. Default: true. If false,
   * call `acceptBitsPost(server)` for each server.
   */
  acceptBitsPost?: boolean | undefined
}

/** What the option `perRequest` may set for a request. */
export type RequestSettings = Pick<
  BitsUploadOptions,
  | 'storage'
  | 'directory'
  | 'sessionStore'
  | 'maxUploadSize'
  | 'maxFragmentSize'
  | 'overwrite'
  | 'enabled'
  | 'maxSessionsPerUser'
  | 'hostId'
  | 'hostIdFallbackTimeout'
  | 'onUpload'
  | 'notification'
  | 'hash'
>
