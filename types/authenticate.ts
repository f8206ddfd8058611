import type { Awaitable } from './awaitable.js'

/** A request that needs credentials. */
export interface RequestToAuthenticate {
  readonly url: URL
}

/** Proves the identity of the client, and of the server that responds. */
export interface RequestCredentials {
  /** Value of the header `Authorization`. */
  readonly authorization: string
  /**
   * Checks the server's proof of its identity. Throws if it is wrong.
   *
   * @param challenge `WWW-Authenticate` of the response.
   */
  verify?(challenge: string | undefined): Awaitable<void>
}

/** Provides the credentials of one request; called for each. */
export type Authenticate = (request: RequestToAuthenticate) => Awaitable<RequestCredentials>
