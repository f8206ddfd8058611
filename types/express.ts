/**
 * The BITS packet of a request, for other middleware such as access logs and metrics. Set once its head has been
 * read.
 */
export interface BitsRequestInfo {
  readonly packet: 'Ping' | 'Create-Session' | 'Fragment' | 'Close-Session' | 'Cancel-Session'
  /** Checked relative path. */
  readonly destination: string
  /** Upload id, when the packet names a session. */
  readonly uploadId?: string | undefined
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `bitsUpload()` on the requests it serves. */
      bits?: BitsRequestInfo
    }
  }
}
