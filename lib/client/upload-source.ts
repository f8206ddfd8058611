/**
 * What to upload: the path of a local file, or bytes in memory, as a `Buffer` (any `Uint8Array`) or a `Blob`. Bytes in
 * memory must not be changed before the upload has ended.
 */
export type UploadContent = string | Uint8Array | Blob

/** The bytes of one upload. A change of their number or time while they are read is fatal (Win32 file-transfer-consistency). */
export interface UploadSource {
  /** Bytes. */
  readonly size: number
  /** Time of the last change, milliseconds since 1970; 0 where there is none. */
  readonly modified: number
  /** Name of the file; `undefined` for bytes that have none. */
  readonly name: string | undefined
  /** Bytes from `start` up to, not including, `end`. @throws BitsClientError */
  read(start: number, end: number): AsyncGenerator<Buffer, void, undefined>
  /** @throws FileChangedError when these are not the size and time it has now. Default: those it had when it was opened. */
  assertUnchanged(size?: number, modified?: number): Promise<void>
  close(): Promise<void>
}
