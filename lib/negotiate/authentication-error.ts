/** Why a request is refused. `bitsUpload()` answers with {@link status} when its option `user` or `authorize` throws this. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError'
  /** 401, or 503 when the server cannot tell at the moment. */
  readonly status: 401 | 503
  /** For the response, in addition to `WWW-Authenticate`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: 401 | 503, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    // Windows ends a job after 401, and tries again after 503.
    this.headers = status === 503 ? { 'Retry-After': '30' } : {}
  }
}
