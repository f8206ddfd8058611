import type { Readable } from 'node:stream'
import type { SessionInfo } from './events.js'

/** An upload whose last byte is in, before it is published: what `onUpload` is given. */
export interface CompletedUpload {
  readonly session: SessionInfo
  /** Checked relative path. */
  readonly destination: string
  /** Bytes. */
  readonly size: number
  /** Absolute path of the staged bytes, where the storage has one. Read it while `onUpload` runs, and not later. */
  readonly path?: string
  /** The staged bytes, from the first on; call it as often as needed while `onUpload` runs. */
  read(): Readable
}

/**
 * What the client is to be given in return: the content itself, or the absolute URL of something static. Streams are
 * those of Node and those of the web, `(await fetch(url)).body` for example.
 */
export type Reply =
  | string
  | Uint8Array
  | ArrayBuffer
  | Blob
  | AsyncIterable<string | Uint8Array>
  | ReadableStream<string | Uint8Array>
  | URL

/** What an application says of an upload. It has these properties and no other. */
export interface UploadResponse {
  /** Default: no reply. An empty reply is no reply. */
  reply?: Reply | null | undefined
  /** Put the file at its destination? Default: true. With false its bytes are removed once `onUpload` has answered. */
  publish?: boolean | undefined
}

/** How an application behind HTTP is told of an upload, as IIS tells it (MC-BUP 2.2.12). */
export interface NotificationOptions {
  /**
   * `by-reference`: the application is told the path of the uploaded data, and a path for its reply.
   * `by-value`: the data is the request's body, and the response's body is the reply.
   */
  type: 'by-reference' | 'by-value'
  /**
   * Where to POST: an absolute `http:` or `https:` URL, or one relative to the directory of the upload's URL, which is
   * asked of this very server. The query of the upload's URL is appended. At most 2,200 characters. Credentials in it
   * (`http://user:password@host/`, percent-encoded) are sent as `Authorization: Basic`, unless {@link headers} has one.
   */
  url: string
  /** Seconds in all, until the last byte of the answer. Default: 300. */
  timeout?: number | undefined
  /** Headers to add, `Authorization` for example. Those of the protocol and of the connection are refused. */
  headers?: Record<string, string> | undefined
}
