import { BitsError } from '../protocol/bits-error.js'

/** The error for a change to a session whose lock has passed from this process to another. */
export const lockLost = (uploadId: string): BitsError =>
  new BitsError('session-busy', `This process has lost the lock of session ${uploadId}.`)
