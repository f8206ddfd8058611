import type { Request } from 'express'
import type { SessionStore } from './session.js'
import type { StorageAdapter } from './storage.js'

/** Where messages go: `console`, pino, winston and their like fit as they are. */
export interface Logger {
  debug?(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** Options of `bitsUpload()`. All are optional. */
export interface BitsUploadOptions {
  /**
   * Where the files go. Default: a `FileStorage` in {@link directory}.
   * Give this or {@link directory}, not both.
   */
  storage?: StorageAdapter
  /** Short for `storage: new FileStorage({ directory })`. Default: `./uploads`, relative to the working directory. */
  directory?: string
  /**
   * Where sessions are kept. Default: a `FileSessionStore` beside a `FileStorage`, so that sessions survive a restart;
   * a `MemorySessionStore` with any other storage.
   */
  sessions?: SessionStore
  /**
   * Largest file, in bytes; a larger one is refused with 500 + 0x80200020 (BG_E_TOO_LARGE) at its first fragment.
   * Default and maximum: 2^53 - 1.
   */
  maxUploadSize?: number
  /**
   * Largest fragment, in bytes; a larger one is refused with 413, whereupon the client sends smaller ones.
   * Default: 16,777,216 (16 MiB). Windows sends up to 13 MB; below 5,120 (5 KB) no Windows client can go.
   */
  maxFragmentSize?: number
  /**
   * May an upload replace a file that is there? Default: false (409 at Create-Session, 403 when it appeared later).
   * When true, the old file stays readable until the new one takes its place at once.
   */
  overwrite?: boolean
  /** Seconds without a successful packet after which a session and its data are removed. Default: 1,209,600 (14 days). */
  sessionTimeout?: number
  /**
   * Seconds between two sweeps for idle sessions and for staged data nobody owns; there is always one at the start.
   * Default: 43,200 (12 hours).
   */
  cleanupInterval?: number
  /**
   * Is this request allowed to upload to `destination` (a checked relative path)? Asked for every packet. `false` is
   * answered with 403 + 0x80070005; throw a `BitsError`, or an error with an HTTP `status`, for another answer.
   * Default: everybody is allowed.
   */
  authorize?(req: Request, destination: string): boolean | Promise<boolean>
  /**
   * Who makes this request? A session answers only to the user that created it. Default: nobody in particular.
   */
  user?(req: Request): string | undefined | Promise<string | undefined>
  /** Where messages go. Default: warnings and errors to `console`. */
  logger?: Logger
  /**
   * Take a `POST` with a `BITS-Packet-Type` header for a `BITS_POST`, for proxies that cannot pass the verb.
   * Default: false.
   */
  acceptPost?: boolean
  /**
   * Teach the HTTP servers of this process the verb `BITS_POST` as their connections come. Default: true. With false,
   * say it yourself, server by server, with `acceptBitsPost(server)`.
   */
  acceptBitsPost?: boolean
}
