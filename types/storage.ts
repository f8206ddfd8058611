import type { Readable } from 'node:stream'
import type { Awaitable } from './awaitable.js'

/** An upload that is not finished yet, as a storage adapter sees it. */
export interface StagedUpload {
  /** 32 lower-case hexadecimal digits, chosen by the server: safe as a file name, object name or key. */
  readonly uploadId: string
  /**
   * Where the finished file goes: a checked relative path, percent-decoded, in Unicode form NFC, with `/` between its
   * segments.
   */
  readonly destination: string
  /**
   * Size of the whole file in bytes; `undefined` until the first fragment has named it, and for an empty file that was
   * closed without a fragment.
   */
  readonly total?: number | undefined
}

/** A published file: complete, durable, and visible at its destination. */
export interface StoredFile {
  readonly destination: string
  /** Bytes. */
  readonly size: number
  /** Absolute path, if the storage has one. */
  readonly path?: string
  /**
   * Other facts about the file, chosen by the storage: bucket, key, version and the like. Passed on to the event
   * `uploaded`.
   */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Bytes `start` to `end` of a reply, both inclusive and counted from 0. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** What a storage knows about a reply that it keeps. */
export interface StoredReply {
  /** Bytes. */
  readonly size: number
  readonly lastModified: Date
}

/** Staged data that a storage holds, as the sweep for orphaned data sees it. */
export interface StagedData {
  /** The {@link StagedUpload.uploadId} it was staged under. */
  readonly uploadId: string
  readonly lastModified: Date
}

/**
 * Where the bytes are stored. Implement the required methods and pass an instance as `storage`; there is no base class.
 * Every method may return a plain value instead of a promise.
 *
 * The caller serializes the methods that change an upload: `append`, `publish`, `discard` and `writeReply` run one at a
 * time, under the lock of its session (across processes, if the session store has a `lock`). Methods that only read are
 * not serialized: {@link received} may be called during an `append`, a `publish` or a `discard` of the same upload, for
 * `bits.sessions()`; {@link statReply} and {@link readReply} during a `discard`, as a client may fetch its reply at any
 * time; `has` and `staged` during anything. Different uploads run concurrently, even for the same destination.
 *
 * The bytes at one position of an upload are always the same, because BITS fails a job whose file changes. A process
 * that was suspended and lost its lock may therefore repeat an `append` or a `publish` without harm, as long as nothing
 * that its successor has written is shortened or removed.
 *
 * A rejection is sent to the client as an error Ack: a `BitsError` as it says; an error whose `code` is `ENOSPC` or
 * `EDQUOT` as "disk full"; anything else as 500 + 0x80004005, after which a Windows client tries again later.
 * Everything with a status of 500 or above also causes the event `error`.
 *
 * `express-bits-upload/testing` has the tests that the package's own storages pass.
 */
export interface StorageAdapter {
  /**
   * Called before first use. Throw when the storage is unusable: packets are answered with that error, and `open` is
   * called again later, at most once a second, until it has succeeded. Called once more after a success when the session
   * store, which is opened next, could not be opened; and by each `bitsUpload()` that uses this storage.
   */
  open?(): Awaitable<void>

  /**
   * Checks that the storage can be used, for readiness checks; optional. Throw when it cannot. Called no more often than
   * once a second.
   */
  check?(): Awaitable<void>

  /**
   * Whether a file is published at `destination`. Called at Create-Session, without a lock. A good place to check
   * whether a file can be published there, before the client sends its bytes.
   *
   * @throws BitsError `destination-is-directory`, `destination-refused` or `parent-missing`, when nothing can ever be
   * published there.
   */
  has(destination: string): Awaitable<boolean>

  /**
   * Prepares an empty staged upload, before its session is acknowledged. Its `total` is not known yet. {@link staged}
   * need not list an upload that has no bytes. No `discard` follows a failure: leave nothing behind.
   */
  begin(upload: StagedUpload): Awaitable<void>

  /**
   * Stages all bytes of `body`, starting at `offset`; `offset` is always what {@link received} returned last. Offset 0
   * must work without `begin`: staged data that has disappeared (`received` returns 0) is sent again, without a new
   * `begin`.
   *
   * Resolves with the new staged length, also when `body` ends early, fails, or `signal` aborts: what arrived is kept.
   * Rejects when the storage itself fails; what was stored before that is kept too, and `received` is called for it
   * next. Never resolves before the bytes that it counts would survive the death of this process.
   *
   * @param body the request, or a `Transform` behind it; it belongs to the caller. Destroying it destroys the
   * connection, and then no Ack can say what failed. `stream.pipeline(body, ...)` does that when its other end fails,
   * and so does leaving a `for await` over `body`. Stop reading instead, and reject: the caller reads the rest and
   * responds. `body.iterator({ destroyOnReturn: false })` can be left, and a `body.on('data')` listener can be removed.
   * @param signal aborts when a newer request of the session waits for this one to end, or another process for its
   * lock. The request is destroyed then, so `body` may be destroyed as well. Finish soon: the newer one waits until
   * then.
   */
  append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Awaitable<number>

  /**
   * Staged length in bytes, 0 when there is none: authoritative after a restart. Clients continue from here, so every
   * byte before it must be stored. During an `append` it is the length at some moment during the call; it must not fail
   * because of a concurrent call. It may be called after `discard`.
   *
   * @param expected the offset at which the fragment begins; only passed under the lock of the session. If looking up the
   * length is expensive, an adapter may return `expected` instead, if its own last `append` or `begin` of this upload
   * ended exactly there. Another process may have staged more since: staging those bytes again is harmless, and the client
   * does not know that they are staged, or it would continue after them. If bytes were removed, `publish` must notice.
   */
  received(upload: StagedUpload, expected?: number): Awaitable<number>

  /**
   * The staged bytes, for delivery to a server application, which may request them several times. Only called when all
   * bytes are staged and the file is not published yet. An application may read it later by mistake: the stream must
   * fail then.
   */
  read(upload: StagedUpload): Readable

  /** Absolute path of the staged bytes, for applications that want a file; optional. */
  path?(upload: StagedUpload): string

  /**
   * Makes the staged bytes the file at `upload.destination`, all or nothing, durable before it resolves.
   * Rejects, and publishes nothing, when their length is not `upload.total` (`undefined` means an empty file):
   * something else has changed the staged data.
   *
   * Called again for the same upload after it succeeded (the process died before it could record the success), it must
   * resolve with the same file. An adapter whose last step fails although the file may be in place, because only the
   * answer was lost, finds out which it is before it rejects. {@link discard} follows a success, once that is recorded.
   *
   * @throws BitsError `destination-taken` when a file is there and `overwrite` is false.
   */
  publish(upload: StagedUpload, options: { overwrite: boolean }): Awaitable<StoredFile>

  /**
   * Removes staged bytes and reply; the published file is not touched. May be called twice, and when there is nothing to
   * discard. With `keepReply` the reply stays: that is called after each publication. Without, it ends a session that has
   * not been published, or that may have a reply.
   *
   * Use nothing but `upload.uploadId`: the sweep for orphaned staged data knows nothing else, and passes `''` as the
   * destination and no total.
   */
  discard(upload: StagedUpload, options?: { keepReply?: boolean }): Awaitable<void>

  /**
   * Everything that is staged, for the sweep for orphaned data; optional. Includes replies where they outlive a process.
   * `discard` is called, and uploads continue, during the iteration: what was listed may be gone. An id may be listed
   * more than once.
   */
  staged?(): AsyncIterable<StagedData>

  /**
   * Keeps `body` as the upload's reply, in place of an earlier one, until {@link discard}; resolves with its size in
   * bytes; optional. Rejects, keeping nothing of it, when `body` fails. Unlike {@link append}'s, `body` may be destroyed.
   * An empty body means no reply: it removes an earlier one.
   */
  writeReply?(upload: StagedUpload, body: Readable): Awaitable<number>

  /**
   * Size and date of the reply, `undefined` when there is none; a size of 0 means the same. Required with
   * {@link writeReply}.
   */
  statReply?(upload: StagedUpload): Awaitable<StoredReply | undefined>

  /**
   * The reply's bytes, or a range of them, which lies within what {@link statReply} returned; required with {@link
   * writeReply}. If a `discard` removes the reply in the meantime, either return the promised bytes nevertheless, or
   * let the stream fail: the client already knows the length, so the stream must not end early.
   */
  readReply?(upload: StagedUpload, range?: ByteRange): Readable

  /** Where a server application may write the reply itself (notification by reference); optional. */
  replyPath?(upload: StagedUpload): string

  /**
   * Called by `bits.close()`, after the last request; no other method is called from then on. Also called when `open` has
   * failed.
   */
  close?(): Awaitable<void>
}
