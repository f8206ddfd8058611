import type { Readable } from 'node:stream'

/** An upload whose bytes are still arriving, as a storage adapter knows it. */
export interface StagedUpload {
  /** 32 lower-case hexadecimal digits, chosen by the server: safe as a file name, object name or key. */
  readonly id: string
  /**
   * Where the finished file goes: a relative path that has been checked (`destination.ts`), percent-decoded,
   * NFC, with `/` between its segments.
   */
  readonly destination: string
  /** Size of the whole file in bytes; `undefined` until the first fragment has named it. */
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
  /** The {@link StagedUpload.id} it was staged under. */
  readonly id: string
  readonly lastModified: Date
}

/**
 * Where the bytes go. Implement the required methods and pass an instance as `storage`; there is nothing to extend.
 *
 * The caller serialises: one `append`, `publish` or `discard` at a time for one upload. A rejection is answered to
 * the client as an error Ack: a `BitsError` as it says; an error whose `code` is `ENOSPC` or `EDQUOT` as "disk full";
 * anything else as 500 + 0x80004005, after which a Windows client tries again later.
 */
export interface StorageAdapter {
  /** Called once, before first use. Throw when the storage is unusable. */
  open?(): Promise<void>

  /**
   * Is something published at `destination`?
   *
   * @throws BitsError `destination-is-directory`, `destination-refused` or `parent-missing`, when nothing can ever
   * be published there.
   */
  has(destination: string): Promise<boolean>

  /** Prepares an empty staged upload. */
  begin(upload: StagedUpload): Promise<void>

  /**
   * Stages the bytes of `body` from `offset` on; `offset` is always what {@link received} said last.
   *
   * Resolves with the new staged length, also when `body` ends early, fails, or `signal` aborts: what arrived is
   * kept. Rejects when the storage itself fails; what was stored before that is kept too. Never resolves before the
   * bytes it counts would survive the death of this process.
   */
  append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal): Promise<number>

  /** Staged length in bytes, 0 when there is none: the truth after a restart. */
  received(upload: StagedUpload): Promise<number>

  /** The staged bytes, for delivery to a server application. */
  read(upload: StagedUpload): Readable

  /** Absolute path of the staged bytes, for applications that want a file; optional. */
  path?(upload: StagedUpload): string

  /**
   * Makes the staged bytes the file at `upload.destination`, all or nothing, durable before it resolves.
   *
   * Called again for the same upload after it succeeded (the process died before it could note the success), it must
   * resolve with the same file. {@link discard} follows a success.
   *
   * @throws BitsError `destination-taken` when something is there and `overwrite` is false.
   */
  publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile>

  /**
   * Staged bytes and reply are gone afterwards; the published file is not touched. May be called twice.
   * With `keepReply` the reply stays: that follows each publication. Without, it ends a session that has not been
   * published, or that may have a reply.
   */
  discard(upload: StagedUpload, options?: { keepReply?: boolean }): Promise<void>

  /** Everything that is staged, for the sweep of data nobody owns; optional. */
  staged?(): AsyncIterable<StagedData>

  /**
   * Keeps `body` as the upload's reply, in place of an earlier one, until {@link discard}; resolves with its size in
   * bytes; optional. Rejects, keeping nothing, when `body` fails.
   */
  writeReply?(upload: StagedUpload, body: Readable): Promise<number>

  /** The reply's facts, `undefined` when there is none; comes with {@link writeReply}. */
  statReply?(upload: StagedUpload): Promise<StoredReply | undefined>

  /** The reply's bytes, or a range of them; comes with {@link writeReply}. */
  readReply?(upload: StagedUpload, range?: ByteRange): Readable

  /** Where a server application may write the reply itself (notification by reference); optional. */
  replyPath?(upload: StagedUpload): string

  /** Called by `bits.close()`, after the last request. */
  close?(): Promise<void>
}
