import type { Readable } from 'node:stream'
import type { FileDigest } from './digest.js'
import type { SessionInfo } from './events.js'

/** An upload whose last byte has arrived, before it is published: the argument of `onUpload`. */
export interface CompletedUpload {
  readonly session: SessionInfo
  /** Checked relative path. */
  readonly destination: string
  /** Bytes. */
  readonly size: number
  /** Absolute path of the staged bytes, if the storage has one. Valid only while `onUpload` runs. */
  readonly path?: string
  /**
   * Checksum of the bytes, if the option `hash` is set or the client sent one to compare with. With both, that of
   * `hash`.
   */
  readonly digest?: FileDigest
  /**
   * Aborts when this process has lost the session's lock (it was suspended, or could not reach the session store). Stop
   * then: another process may deliver the same upload again. Never aborts if processes do not share the session store.
   */
  readonly signal: AbortSignal
  /** The staged bytes from the beginning; call it as often as needed while `onUpload` runs. */
  read(): Readable
}

/**
 * What the client receives in return: the content itself, or the absolute URL of a static resource. Streams are Node
 * streams and web streams, such as `(await fetch(url)).body`.
 */
export type Reply =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | AsyncIterable<string | Uint8Array>
  | ReadableStream<string | Uint8Array>
  | URL

/** What an application returns for an upload. It has these properties and no others. */
export interface UploadResponse {
  /** Default: no reply. An empty reply counts as none. */
  reply?: Reply | null | undefined
  /** Put the file at its destination? Default: true. With false its bytes are removed once `onUpload` has finished. */
  publish?: boolean | undefined
}

/** How an application is notified about an upload over HTTP, as with IIS (MC-BUP 2.2.12). */
export interface NotificationOptions {
  /**
   * `by-reference`: the application receives the path of the uploaded data, and a path for its reply.
   * `by-value`: the data is the request's body, and the response's body is the reply.
   */
  type: 'by-reference' | 'by-value'
  /**
   * Where to POST: an absolute `http:` or `https:` URL, or one relative to the directory of the upload's URL, which is
   * sent to this server itself. The query of the upload's URL is appended. At most 2,200 characters. Credentials in it
   * (`http://user:password@host/`, percent-encoded) are sent as `Authorization: Basic`, unless {@link headers} has one.
   */
  url: string
  /**
   * Seconds in total, until the last byte of the response. Default: 240, because a client waits 300 seconds for its
   * Ack.
   */
  timeout?: number | undefined
  /** Headers to add, such as `Authorization`. Headers of the protocol and of the connection are rejected. */
  headers?: Record<string, string> | undefined
}
