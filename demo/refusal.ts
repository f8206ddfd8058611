import { BitsError } from 'express-bits-upload'

const MAX_REASON_LENGTH = 200

/**
 * Creates an error that refuses a file on behalf of the server application (context 0x7). Windows gives up after a 400.
 * The reason appears in the log and on the page, and may quote the file.
 */
export const refuseFile = (reason: string): BitsError =>
  new BitsError({ status: 400, context: 0x7 }, reason.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_REASON_LENGTH))
