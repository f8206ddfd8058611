import type { Logger } from '../../types/options.js'

/** The default logger: warnings and errors go to `console`. */
export const QUIET_CONSOLE: Logger = {
  info: () => {},
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
}
