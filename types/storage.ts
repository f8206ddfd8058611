import type { Readable } from 'node:stream'

/** An upload whose bytes are still arriving, as a storage adapter knows it. */
export interface StagedUpload {
  /** 32 lower-case hexadecimal digits, chosen by the server: safe as a file name, object name or key. */
  readonly uploadId: string
  /**
   * Where the finished file goes: a relative path that has been checked (`destination.ts`), percent-decoded,
   * NFC, with `/` between its segments.
   */
  readonly destination: string
  /**
   * Size of the whole file in bytes; `undefined` until the first fragment has named it, and of an empty file that was
   * closed without any.
   */
  readonly total?: number | undefined
}

/** A file that is published: complete, durable, and visible at its destination. */
export interface StoredFile {
  readonly destination: string
  /** Bytes. */
  readonly size: number
  /** Absolute path, where the storage has one. */
  readonly path?: string
}

/** Bytes `start` to `end` of a reply, both inclusive and counted from 0. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** What a storage knows of a reply it keeps. */
export interface StoredReply {
  /** Bytes. */
  readonly size: number
  readonly lastModified: Date
}

/** Staged data that a storage holds, as the sweep for data nobody owns sees it. */
export interface StagedData {
  /** The {@link StagedUpload.uploadId} it was staged under. */
  readonly uploadId: string
  readonly lastModified: Date
}

/**
 * Where the bytes go. Implement the required methods and pass an instance as `storage`; there is nothing to extend.
 *
 * The caller serialises what changes an upload: of `append`, `publish`, `discard` and `writeReply` one at a time, by the
 * lease of its session (over several processes, if the session store has a `lock`). What only looks is not serialised:
 * {@link received} may come during an `append`, a `publish` or a `discard` of the same upload, as `bits.sessions()` asks
 * it; {@link statReply} and {@link readReply} may meet a `discard`, as a client may fetch its reply at any time; `has` and
 * `staged` may meet anything. Different uploads go on side by side, also to the same destination.
 *
 * A rejection is answered to the client as an error Ack: a `BitsError` as it says; an error whose `code` is `ENOSPC` or
 * `EDQUOT` as "disk full"; anything else as 500 + 0x80004005, after which a Windows client tries again later.
 *
 * `express-bits-upload/testing` has the tests that the package's own storages pass.
 */
export interface StorageAdapter {
  /**
   * Called before first use. Throw when the storage is unusable: the packet under way is answered with that, and the
   * next one (or the next sweep) has it called again, until it has succeeded. Once more after a success when the session
   * store, which is opened next, could not be; and by each `bitsUpload()` that has this storage.
   */
  open?(): Promise<void>

  /**
   * Is something published at `destination`? Asked at Create-Session, which no lease serialises.
   *
   * @throws BitsError `destination-is-directory`, `destination-refused` or `parent-missing`, when nothing can ever
   * be published there.
   */
  has(destination: string): Promise<boolean>

  /**
   * Prepares an empty staged upload, before its session is acknowledged. Its `total` is not known yet. No `discard`
   * follows a failure: leave nothing behind.
   */
  begin(upload: StagedUpload): Promise<void>

  /**
   * Stages the bytes of `body` from `offset` on, all of them; `offset` is always what {@link received} said last. Offset 0
   * must work without `begin`: staged data that is gone (`received` says 0) is sent again, not begun again.
   *
   * Resolves with the new staged length, also when `body` ends early, fails, or `signal` aborts: what arrived is
   * kept. Rejects when the storage itself fails; what was stored before that is kept too, and `received` is asked for it
   * next. Never resolves before the bytes it counts would survive the death of this process.
   *
   * @param body the request, or a `Transform` behind it; the caller's, either way. Destroying it destroys the connection,
   * and then no Ack can say what failed. `stream.pipeline(body, ...)` does that when its other end fails, and so does
   * leaving a `for await` over `body`. Stop reading instead, and reject: the caller reads the rest away, and answers.
   * `body.iterator({ destroyOnReturn: false })` can be left, and `body.on('data')` taken off.
   * @param signal aborts when a newer request of the session waits for this one to end, or another process for its lock.
   * The request is destroyed then, so `body` may be destroyed as well. Come to an end soon: the newer one waits until
   * then.
   */
  append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number>

  /**
   * Staged length in bytes, 0 when there is none: the truth after a restart. Clients go on from here, so every byte below
   * it must be stored. During an `append` it is the length at some moment of it; it must not fail because of what runs
   * beside it. It may come after `discard`.
   */
  received(upload: StagedUpload): Promise<number>

  /**
   * The staged bytes, for delivery to a server application, which may ask for them several times. They are complete then,
   * and not published. An application may also ask when it is too late: let the stream fail then.
   */
  read(upload: StagedUpload): Readable

  /** Absolute path of the staged bytes, for applications that want a file; optional. */
  path?(upload: StagedUpload): string

  /**
   * Makes the staged bytes the file at `upload.destination`, all or nothing, durable before it resolves.
   * Rejects, and publishes nothing, when their length is not `upload.total` (an `undefined` one means an empty file):
   * something else has been at the staged data.
   *
   * Called again for the same upload after it succeeded (the process died before it could note the success), it must
   * resolve with the same file. {@link discard} follows a success, not before that is noted.
   *
   * @throws BitsError `destination-taken` when something is there and `overwrite` is false.
   */
  publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile>

  /**
   * Staged bytes and reply are gone afterwards; the published file is not touched. May be called twice.
   * With `keepReply` the reply stays: that follows each publication. Without, it ends a session that has not been
   * published, or that may have a reply.
   *
   * Go by `upload.id` alone: the sweep for data nobody owns knows nothing else, and gives `''` as the destination and no
   * total. There need not be anything to discard.
   */
  discard(upload: StagedUpload, options?: { keepReply?: boolean }): Promise<void>

  /**
   * Everything that is staged, for the sweep of data nobody owns; optional. Replies belong to it where they outlive a
   * process. `discard` is called, and uploads go on, while this is being iterated: what was listed may be gone. One id
   * may come more than once.
   */
  staged?(): AsyncIterable<StagedData>

  /**
   * Keeps `body` as the upload's reply, in place of an earlier one, until {@link discard}; resolves with its size in
   * bytes; optional. Rejects, keeping nothing of it, when `body` fails. Unlike {@link append}'s, `body` may be destroyed.
   * One without bytes is no reply: it takes away an earlier one.
   */
  writeReply?(upload: StagedUpload, body: Readable): Promise<number>

  /**
   * The reply's facts, `undefined` when there is none; one of size 0 means the same. Comes with {@link writeReply}.
   */
  statReply?(upload: StagedUpload): Promise<StoredReply | undefined>

  /**
   * The reply's bytes, or a range of them, which lies within what {@link statReply} said; comes with {@link writeReply}.
   * When a `discard` took the reply in between, give the bytes that were promised all the same, or let the stream fail:
   * the length has been told to the client, so it must not end early.
   */
  readReply?(upload: StagedUpload, range?: ByteRange): Readable

  /** Where a server application may write the reply itself (notification by reference); optional. */
  replyPath?(upload: StagedUpload): string

  /**
   * Called by `bits.close()`, after the last request; nothing is asked of the storage from then on. Also called when
   * `open` has failed.
   */
  close?(): Promise<void>
}
