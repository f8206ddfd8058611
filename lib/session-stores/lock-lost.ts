import { BitsError } from '../protocol/bits-error.js'

/** For a change of a session whose lock this process held, and another one holds now. */
export const lockLost = (uploadId: string): BitsError =>
  new BitsError('session-busy', `This process has lost the lock of session ${uploadId}.`)
