import type { Logger } from 'express-bits-upload'
import { printError } from '../say.js'

/** Prints messages of the middleware, one line each; stack traces only when DEBUG is set. */
export function logger(verbose: boolean): Logger {
  const line = (message: string): string => (process.env.DEBUG ? message : (message.split('\n')[0] ?? ''))
  return {
    info: (message) => {
      if (verbose) printError(line(message))
    },
    warn: (message) => printError(`warning: ${line(message)}`),
    error: (message) => printError(`error: ${line(message)}`),
  }
}
