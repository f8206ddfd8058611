import type { SourceFacts } from '../uploader/upload-context.js'

/**
 * What to upload: the path of a local file, or bytes in memory, as a `Buffer` (any `Uint8Array`) or a `Blob`. Bytes in
 * memory must not be changed before the upload has ended.
 */
export type UploadContent = string | Uint8Array | Blob

/** Bytes read at once. What a connection has not accepted yet stays in memory, so this bounds it. */
export const READ_SIZE = 128 * 1024

/** The bytes of one upload. A change of their number or time while they are read is fatal (Win32 file-transfer-consistency). */
export interface UploadSource extends SourceFacts {
  /** Name of the file; `undefined` for bytes without one. */
  readonly name: string | undefined
  /** Bytes from `start` up to, not including, `end`. @throws BitsClientError */
  read(start: number, end: number): AsyncGenerator<Buffer, void, undefined>
  close(): Promise<void>
}
