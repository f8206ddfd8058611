import type { Awaitable } from './awaitable.js'

/** A request that needs credentials. */
export interface RequestToAuthenticate {
  readonly url: URL
}

/** What proves who sends a request, and who answers it. */
export interface RequestCredentials {
  /** Value of the header `Authorization`. */
  readonly authorization: string
  /**
   * Checks the server's proof of its identity. Throws when it is wrong.
   *
   * @param challenge `WWW-Authenticate` of the response.
   */
  verify?(challenge: string | undefined): Awaitable<void>
}

/** Provides the credentials of one request; called for each. */
export type Authenticate = (request: RequestToAuthenticate) => Awaitable<RequestCredentials>
