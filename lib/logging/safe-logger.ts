import type { Logger } from '../../types/options.js'
import { asError } from '../util/errors.js'
import { escapeControls } from './escape-controls.js'

/**
 * A logger that does not throw: a failing log must not fail an upload whose file is already published. The first
 * error is reported as a warning of the process.
 */
export function safeLogger(logger: Logger): Logger {
  let hasFailed = false
  const guarded =
    (log: (message: string) => void, keepLineBreaks = false) =>
    (message: string): void => {
      try {
        log.call(logger, escapeControls(message, { keepLineBreaks }))
      } catch (error) {
        if (hasFailed) return
        hasFailed = true
        process.emitWarning(`express-bits-upload: the option logger threw: ${asError(error).message}`)
      }
    }
  const { info, warn, error, debug } = logger
  return {
    info: guarded(info),
    warn: guarded(warn),
    // Stack traces have several lines.
    error: guarded(error, true),
    ...(debug && { debug: guarded(debug) }),
  }
}
