import { BitsClientError } from './client-error.js'

/** The bytes uploaded so far belong to content that no longer exists. */
export class FileChangedError extends BitsClientError {
  /** @param what the file, for the message. */
  constructor(what: string) {
    super(`${what} has changed since its upload began; upload it from the beginning.`, { fatal: true })
  }
}
