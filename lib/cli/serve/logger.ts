import type { Logger } from 'express-bits-upload'
import { say } from '../say.js'

/** Messages of the middleware for people: a line each, stacks only for those who set DEBUG. */
export function logger(verbose: boolean): Logger {
  const line = (message: string): string => (process.env.DEBUG ? message : (message.split('\n')[0] ?? ''))
  return {
    info: (message) => {
      if (verbose) say(line(message))
    },
    warn: (message) => say(`warning: ${line(message)}`),
    error: (message) => say(`error: ${line(message)}`),
  }
}
