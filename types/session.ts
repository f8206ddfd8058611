import type { Awaitable } from './awaitable.js'

/**
 * The state of a session, with the protocol's own names (MC-BUP 3.2.1.4):
 * `receiving` RECEIVE_FRAGMENTS (and NOTIFY, which a restart repeats), `published` WAIT_FOR_CLOSE (also for a file that
 * the application did not want at its destination), `closed` COMPLETE, `cancelled` CANCEL. Closed and cancelled sessions
 * have ended; they are remembered for ten minutes, so that a repeated Close-Session or Cancel-Session gets 200 again.
 */
export type SessionState = 'receiving' | 'published' | 'closed' | 'cancelled'

/** What the server stores about a session. Plain JSON values only, so that any store can hold it. */
export interface SessionRecord {
  /**
   * 32 lower-case hexadecimal digits derived from the session id: safe as a file name or key. The session id itself,
   * which is all a client needs to continue an upload, is not stored.
   */
  readonly uploadId: string
  /** Checked relative path, see `StagedUpload.destination`. */
  readonly destination: string
  /** The destination's path on the server, mount point included. Requests for any other path do not find the session. */
  readonly path: string
  /**
   * Scheme and host by which the client addressed the server at Create-Session, `https://host:port`. Unchanged if the
   * client continues at another host (`hostId`).
   */
  readonly origin?: string | undefined
  /** The user who created the session, as returned by the option `user`. Other users do not find the session. */
  readonly user?: string | undefined
  readonly state: SessionState
  /** Size of the whole file in bytes; `undefined` until the first fragment has named it. */
  readonly total?: number | undefined
  /**
   * Bytes received when the record was last written. It may lag behind and is only shown on pages: offsets come from
   * the storage. `undefined` if nothing was recorded yet.
   */
  readonly received?: number | undefined
  /**
   * Set once the application has accepted the file: whether to put it at its destination. Written before the
   * publication, so that a publication that fails does not notify the application twice.
   */
  readonly copyToDestination?: boolean | undefined
  /** URL of the reply as sent to the client, when there is a reply. */
  readonly replyUrl?: string | undefined
  /**
   * The checksums that the client expects, sent with Create-Session: a `Repr-Digest` (RFC 9530) with the algorithms
   * that this server knows.
   */
  readonly expectedDigest?: string | undefined
  /** The computed checksums of the complete file, in the same form. Written before an application is called. */
  readonly digest?: string | undefined
  /** The server application refused the file permanently (403): it is not delivered again. */
  readonly refused?: boolean | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Milliseconds since 1970: the last successful packet, written no more often than the expiry needs. */
  readonly lastActivity: number
}

/** What can change in a session. A field that is present and `undefined` is removed; absent fields stay as they are. */
export type SessionChange = Partial<
  Omit<
    SessionRecord,
    'uploadId' | 'destination' | 'path' | 'origin' | 'user' | 'expectedDigest' | 'createdAt'
  >
>

/** How long to wait for a lock, and what to do when another process wants it. */
export interface LockOptions {
  /** Milliseconds; 0 means a single attempt. */
  readonly timeout: number
  /**
   * Called, once or more, with `wanted` when another process waits for the lock, and with `lost` when the lock is no
   * longer held. The holder then stops and releases it.
   */
  readonly onReleaseRequested: (reason: 'wanted' | 'lost') => void
  /**
   * Aborts when the lock is no longer needed: the client has disconnected, or sent something newer. Reject then, and
   * leave nothing behind that would make a holder release the lock. It has no effect on a lock that was acquired
   * already. A store may ignore it; abandoned requests then keep waiting, and preempt others.
   */
  readonly signal?: AbortSignal
}

/** Releases a lock. May be called twice, and after the lock was lost: neither affects another holder. */
export type ReleaseLock = () => Awaitable<void>

/**
 * Where sessions are kept. Implement it and pass an instance as `sessionStore`; there is no base class. Several
 * processes share uploads when they share both this and the storage. Every method may return a plain value instead of a
 * promise.
 *
 * Calls may overlap: any two methods may run at the same time, even for the same session.
 *
 * `express-bits-upload/testing` has the tests that the package's own stores pass.
 */
export interface SessionStore {
  /**
   * Called before first use, after the storage's `open`. Throw when the store is unusable; it is called again later, at
   * most once a second, until it has succeeded.
   */
  open?(): Awaitable<void>

  /**
   * Checks that the store can be used, for readiness checks; optional. Throw when it cannot. Called no more often than
   * once a second.
   */
  check?(): Awaitable<void>

  /**
   * Stores a new session. Rejects when a session with this upload id exists. When it rejects for another reason, the
   * caller deletes the session: it may have been stored nevertheless, for example if only the response was lost.
   */
  create(record: SessionRecord): Awaitable<void>

  /**
   * Like {@link create}, unless the session's user has `max` or more open sessions; optional. Open sessions are those
   * that are neither closed nor cancelled; sessions without a user count together, as if they had one. Checking and
   * creating are one atomic step, so that two processes cannot both take the last place.
   *
   * Its cost must not grow with the sessions of other users. For a store without this method every process counts in
   * memory, and lists the whole store whenever its count is out of date: at startup, and if processes share the store,
   * before it refuses a session and at least every ten seconds.
   *
   * @returns `undefined` when the session was created; otherwise the number of open sessions that its user has.
   */
  createWithin?(record: SessionRecord, max: number): Awaitable<number | undefined>

  /** @returns the session as it was stored; a field that it did not have is absent or `undefined`, never `null`. */
  get(uploadId: string): Awaitable<SessionRecord | undefined>

  /**
   * Reads a session, calls `change` for what to alter, and writes it: atomically, so that no concurrent update is lost.
   * `change` may return `undefined` to leave the session alone. A field that is `undefined` in its result is removed from
   * the session. It may be called again when the store has to retry. If it throws, nothing changes and `update` rejects
   * with that error. A session that is deleted at the same time stays deleted.
   *
   * A store with a {@link lock} rejects when this process held the session's lock and has lost it to another holder. This
   * keeps a process that was suspended from overwriting what its successor wrote.
   *
   * @returns the session as it is now; `undefined` when it does not exist, or when `change` left it alone.
   */
  update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Awaitable<SessionRecord | undefined>

  /** Removes a session; does nothing when it does not exist. */
  delete(uploadId: string): Awaitable<void>

  /**
   * All sessions. Sessions may be created, changed and deleted during the iteration, including those it has returned:
   * `delete` is called for them before the next one is requested. A session that exists all the time is listed once.
   *
   * @param options `openOnly`: closed and cancelled sessions are not needed. A store may return them nevertheless, but
   * should leave them out if that saves reading them.
   */
  list(options?: { readonly openOnly?: boolean }): AsyncIterable<SessionRecord>

  /** The sessions whose `lastActivity` is before this time (milliseconds since 1970); otherwise as {@link list}. */
  expired(before: number): AsyncIterable<SessionRecord>

  /**
   * The closed and cancelled sessions whose `lastActivity` is before this time (milliseconds since 1970), without
   * reading the open ones; optional. Otherwise as {@link list}. Without it, {@link expired} is called each time ended
   * sessions are removed.
   */
  ended?(before: number): AsyncIterable<SessionRecord>

  /**
   * Acquires a lock, for stores that several processes share; optional. Within a process, sessions are always locked. A
   * lock must not outlive its process by more than a few seconds.
   *
   * @param key an upload id, or a name of at most 64 characters from `a-z`, `0-9` and `-` (`sweep`, for example). A
   * session with this id need not exist.
   * @returns the function that releases the lock; `undefined` when it is not available within `options.timeout`.
   * Rejects when `options.signal` aborts, and when something fails.
   */
  lock?(key: string, options: LockOptions): Awaitable<ReleaseLock | undefined>

  /**
   * Called by `bits.close()`, after the last request; no other method is called from then on. Also called when `open` has
   * failed, or was not called because the storage's `open` failed.
   */
  close?(): Awaitable<void>
}
