/**
 * Where a session stands, with the protocol's own names (MC-BUP 3.2.1.4):
 * `receiving` RECEIVE_FRAGMENTS (and NOTIFY, which a restart repeats), `published` WAIT_FOR_CLOSE (also of a file that
 * the application kept from its destination), `closed` COMPLETE, `cancelled` CANCEL. The last two are remembered for
 * ten minutes, so that a repeated Close-Session or Cancel-Session is answered 200 again.
 */
export type SessionState = 'receiving' | 'published' | 'closed' | 'cancelled'

/** What the server keeps of a session. Plain JSON values only, so that any store can hold it. */
export interface SessionRecord {
  /**
   * 32 lower-case hexadecimal digits derived from the session id: safe as a file name or key. The id itself, which is
   * all a client needs to go on with an upload, is not stored.
   */
  readonly uploadId: string
  /** Checked relative path, see `StagedUpload.destination`. */
  readonly destination: string
  /** The destination's path on the server, mount point included; a session answers to no other. */
  readonly path: string
  /** Whose session it is, as the option `user` told; a session answers to nobody else. */
  readonly user?: string | undefined
  readonly state: SessionState
  /** Size of the whole file in bytes; `undefined` until the first fragment has named it. */
  readonly total?: number | undefined
  /**
   * The application accepted the file, and said whether to put it at its destination; `undefined` until it has been
   * told. Noted before publication, so that a publication that fails does not tell it twice.
   */
  readonly copyToDestination?: boolean | undefined
  /** URL of the reply as the client is told, when there is one. */
  readonly replyUrl?: string | undefined
  /** The server application refused the file for good (403): it is not delivered again. */
  readonly refused?: boolean | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Milliseconds since 1970; the last packet that succeeded, noted no more often than needed for the expiry. */
  readonly lastActivity: number
}

/** What may change in a session's life. A field that is there and `undefined` is taken away, others stay as they are. */
export type SessionChange = Partial<Omit<SessionRecord, 'key' | 'destination' | 'url' | 'user' | 'createdAt'>>

/** How long to wait for a session's lock, and what to do when somebody else waits for it. */
export interface LockOptions {
  /** Milliseconds; 0 tries once. */
  readonly timeout: number
  /** Called, once or more, when another process waits for the lock, or when it was lost: stop, and give it back. */
  readonly onReleaseRequested: () => void
  /**
   * Aborts when nobody waits for the lock any more: its client has gone, or sent something newer. Reject then, and leave
   * nothing that would have a holder give way. It has no bearing on a lock that was had. A store may ignore it; requests
   * then wait in vain, and make others give way to them.
   */
  readonly signal?: AbortSignal
}

/**
 * Where sessions are kept. Implement it and pass an instance as `sessions`; there is nothing to extend.
 * Several processes share uploads when they share both this and the storage.
 *
 * Nothing is serialised for a store: any two of its methods may run at the same time, for one session too.
 *
 * `express-bits-upload/testing` has the tests that the package's own stores pass.
 */
export interface SessionStore {
  /**
   * Called before first use, after the storage's. Throw when the store is unusable: it is called again at the next packet
   * (or sweep), until it has succeeded.
   */
  open?(): Promise<void>

  /** Keeps a new session. Rejects when the key is taken. */
  create(record: SessionRecord): Promise<void>

  /** @returns the session as it was given; a field that it did not have is absent or `undefined`, never `null`. */
  get(key: string): Promise<SessionRecord | undefined>

  /**
   * Reads a session, asks `change` what to alter, and writes it: atomically, so that no concurrent update is lost.
   * `change` may answer `undefined` to leave the session alone. A field that its answer has as `undefined` is removed from
   * the session. It may be called again when the store has to retry. What it throws is thrown, and changes nothing.
   * A session that is deleted meanwhile stays deleted.
   *
   * @returns the session as it now is; `undefined` when there is none, or when `change` left it alone.
   */
  update(
    key: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined>

  /** Forgets a session; nothing happens when there is none. */
  delete(key: string): Promise<void>

  /**
   * All sessions. Others may be created, changed and deleted while this is being iterated, and so may those it has given:
   * `delete` is called for them before the next one is asked for. Sessions that are there all the time are listed once.
   */
  list(): AsyncIterable<SessionRecord>

  /** The sessions whose `lastActivity` lies before this time (milliseconds since 1970); else as {@link list}. */
  expired(before: number): AsyncIterable<SessionRecord>

  /**
   * Takes a session's lock, for stores that several processes share; optional. Within a process there is a lock already.
   * A lock must not outlive its process for long.
   *
   * @returns gives the lock back; `undefined` when it cannot be had within `options.wait`. Rejects when
   * `options.signal` aborts, and when something is wrong.
   */
  lock?(key: string, options: LockOptions): Promise<(() => Promise<void>) | undefined>

  /**
   * Called by `bits.close()`, after the last request; nothing is asked of the store from then on. Also called when `open`
   * has failed, or was not called as the storage's failed.
   */
  close?(): Promise<void>
}
