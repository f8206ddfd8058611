import type { BitsClientError } from './client-error.js'
import type { SendPacket } from './packet.js'
import type { Reporter } from './reporter.js'
import type { RetryBudget } from './retry-budget.js'
import type { UploadHost } from './target-host.js'
import type { UploadState } from './upload-types.js'

/** Options of the state machine itself; units as in the clients' options. */
export interface SessionSettings {
  readonly resume?: UploadState | undefined
  readonly signal?: AbortSignal | undefined
  readonly fragmentSize: number
  readonly followHostId: boolean
  readonly retries: number
}

/** The file that is uploaded. */
export interface SourceFacts {
  /** Bytes. */
  readonly size: number
  /** Time of the last change, milliseconds since 1970; 0 where there is none. */
  readonly modified: number
  /** @throws FileChangedError when these are not the size and time it has now. Default: those it had when it was opened. */
  assertUnchanged(size?: number, modified?: number): Promise<void>
}

/** Fetches the reply before its session is closed, which deletes it (Win32 close-session). */
export interface ReplyFetcher {
  /** URL of the reply; `undefined` before `fetch`. */
  readonly url: URL | undefined
  readonly fetched: boolean
  /** Continues where an earlier call failed. @param replyUrl `BITS-Reply-URL`. @throws BitsClientError */
  fetch(replyUrl: string): Promise<void>
  /** The upload starts over, and another reply will follow. */
  forget(): Promise<void>
}

/** What the parts of one running upload share. The clients differ in `send`, `file` and `reply` only. */
export interface UploadContext {
  readonly settings: SessionSettings
  readonly file: SourceFacts
  readonly send: SendPacket
  readonly host: UploadHost
  readonly retryBudget: RetryBudget
  readonly reply: ReplyFetcher
  readonly reporter: Reporter
  readonly contentName: string | undefined
  /** Looks for the reason why the first request failed. @returns the error to report instead. */
  readonly explain?: (error: BitsClientError) => Promise<BitsClientError | undefined>
}
