import { BitsClientError } from './client-error.js'

/** What was uploaded so far belongs to content that does not exist any more. */
export class FileChangedError extends BitsClientError {
  /** @param what the file, for the message. */
  constructor(what: string) {
    super(`${what} has changed since its upload began; upload it from the beginning.`, { fatal: true })
  }
}
