import type { Logger } from 'express-bits-upload'
import { printError } from '../say.js'

/** Messages of the middleware for people: a line each, stacks only for those who set DEBUG. */
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
