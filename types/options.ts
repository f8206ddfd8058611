import type { Request } from 'express'
import type { CompletedUpload, NotificationOptions, Reply, UploadResponse } from './delivery.js'
import type { SessionStore } from './session.js'
import type { StorageAdapter } from './storage.js'

/** Where messages go: `console`, pino, winston and their like fit as they are. */
export interface Logger {
  debug?(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/**
 * A function among the options. The type of a method, so that `req` may be of a type that an app has for its own
 * requests.
 */
type Callback<Parameters extends unknown[], Answer> = { call(...given: Parameters): Answer }['call']

/** Options of `bitsUpload()`. All are optional; `undefined` stands for what is left out. */
export interface BitsUploadOptions {
  /**
   * Where the files go. Default: a `FileStorage` in {@link directory}.
   * Give this or {@link directory}, not both.
   */
  storage?: StorageAdapter | undefined
  /** Short for `storage: new FileStorage({ directory })`. Default: `./uploads`, relative to the working directory. */
  directory?: string | undefined
  /**
   * Where sessions are kept. Default: a `FileSessionStore` beside a `FileStorage`, so that sessions survive a restart;
   * a `MemorySessionStore` with any other storage.
   */
  sessionStore?: SessionStore | undefined
  /**
   * Largest file, in bytes; a larger one is refused with 500 + 0x80200020 (BG_E_TOO_LARGE) at its first fragment.
   * A whole number, or Infinity. Default: 2^53 - 1, above which no size can be told.
   */
  maxUploadSize?: number | undefined
  /**
   * Largest fragment, in bytes; a larger one is refused with 413, whereupon the client sends smaller ones.
   * Default: 16,777,216 (16 MiB). Windows sends up to 13 MB; below 5,120 (5 KB) no Windows client can go.
   */
  maxFragmentSize?: number | undefined
  /**
   * May an upload replace a file that is there? Default: false (403 + 0x80070005, at Create-Session and later).
   * When true, the old file stays readable until the new one takes its place at once.
   */
  overwrite?: boolean | undefined
  /** Seconds without a successful packet after which a session and its data are removed. Default: 1,209,600 (14 days). */
  sessionTimeout?: number | undefined
  /**
   * Most sessions a user may have going on; another Create-Session is refused with 503 until one ends. A
   * whole number from 1, or Infinity. Default: 50 for users that the option {@link user} names, and no limit for
   * nobody in particular; a number you give counts for those as well, as if they were one user.
   */
  maxSessionsPerUser?: number | undefined
  /**
   * Bytes per second that are taken from the clients, of each session and of all together; a plain number is for all
   * together. Default: as fast as they come.
   */
  maxBandwidth?: number | { perSession?: number | undefined; total?: number | undefined } | undefined
  /**
   * Are uploads taken? `false` answers every packet 501 + 0x80070005, and removes all sessions and their data at the
   * start; a function is asked for each packet and answers 501 where it says no. Default: true.
   */
  enabled?: boolean | Callback<[req: Request], boolean | Promise<boolean>> | undefined
  /**
   * Host, with port if need be, to which clients turn after Create-Session: for farms whose servers share no storage.
   * At most 300 characters. Default: none.
   */
  hostId?: string | undefined
  /**
   * Seconds for which a client tries {@link hostId} in vain before it turns to the URL's own host again; 0 means for
   * ever. Default: 86,400.
   */
  hostIdFallbackTimeout?: number | undefined
  /**
   * Seconds between two sweeps for idle sessions and for staged data nobody owns; there is always one at the start.
   * Default: 43,200 (12 hours).
   */
  cleanupInterval?: number | undefined
  /**
   * Is this request allowed to upload to `destination`? Called for every packet. `false` is answered with
   * 403 + 0x80070005; throw a `BitsError`, or an error with an HTTP `status`, for another answer. Default: everybody is
   * allowed.
   *
   * Decide about paths here: `destination` is the checked relative path, percent-decoded and without empty segments.
   * Middleware mounted on a sub-path sees URLs as they are spelled, and `/private%2Fx`, `//private/x` or `/%70rivate/x`
   * bypass it.
   */
  authorize?: Callback<[req: Request, destination: string], boolean | Promise<boolean>> | undefined
  /**
   * Who makes this request? A session answers only to the user that created it. `null` is nobody in particular, as
   * `undefined` is; anything else but a string is refused with 500 + 0x80004005, as it would not outlive a restart.
   * Default: nobody in particular.
   */
  user?: Callback<[req: Request], string | null | undefined | Promise<string | null | undefined>> | undefined
  /**
   * Called when the last byte is in, before the file is published and before the last fragment's Ack. Return a reply
   * for the client, or an {@link UploadResponse}; throw a `BitsError`, or an error with an HTTP `status`, to refuse (its
   * status, context 0x7): 403 for good, others until the client sends the last fragment again. Called once when all goes
   * well, again after a failure or when the process dies before it has noted the answer. Not together with
   * {@link notification}.
   */
  onUpload?:
    | Callback<
        [upload: CompletedUpload, req: Request],
        // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is fine here
        UploadResponse | Reply | undefined | void | Promise<UploadResponse | Reply | undefined | void>
      >
    | undefined
  /**
   * Tells an application over HTTP, with the protocol by which IIS tells it; the application decides with
   * `BITS-Copy-File-To-Destination` whether the file goes to its destination. Default: nobody is told.
   */
  notification?: NotificationOptions | undefined
  /**
   * Take a session id for a proof: of packets that name a living session neither {@link authorize} nor {@link user} is
   * asked, for clients that authenticate only once, at Create-Session. Whoever learns the id (from an unencrypted line,
   * a proxy's log) can then go on with the upload, or cancel it. Default: false.
   */
  trustSessionId?: boolean | undefined
  /**
   * Other settings for this request: a tenant's quota, storage or directory. What it leaves out stays as it is. Answer
   * with the same `storage` object each time, and the same `directory` for the same tenant: for each there is one set
   * of sessions.
   */
  perRequest?:
    | Callback<[req: Request], RequestSettings | undefined | Promise<RequestSettings | undefined>>
    | undefined
  /** Where messages go. Default: warnings and errors to `console`. */
  logger?: Logger | undefined
  /**
   * Take a `POST` with a `BITS-Packet-Type` header for a `BITS_POST`, for proxies that cannot pass the verb.
   * Default: false.
   */
  acceptPost?: boolean | undefined
  /**
   * Teach the HTTP servers of this process the verb `BITS_POST` as their connections come. Default: true. With false,
   * say it yourself, server by server, with `acceptBitsPost(server)`.
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
>
