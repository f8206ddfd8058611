/** What a BITS request was, for middleware around it: access logs, metrics. Set once its head has been read. */
interface BitsRequestInfo {
  readonly packet: 'Ping' | 'Create-Session' | 'Fragment' | 'Close-Session' | 'Cancel-Session'
  /** Checked relative path. */
  readonly destination: string
  /** Upload id, when the packet names a session. */
  readonly session?: string | undefined
}

declare namespace Express {
  interface Request {
    bits?: BitsRequestInfo
  }
}
