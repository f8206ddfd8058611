import { isatty } from 'node:tty'
import { exitCodeOf } from './output.js'

type Signal = 'SIGINT' | 'SIGTERM'

/**
 * Milliseconds in which a repeated signal is ignored: `npx` may pass on a signal that this process has also received.
 */
const ECHO = 500

/** Listens for the signals that end a process: the first aborts `signal`, a later one ends the process at once. */
export function listenForSignals(): {
  readonly signal: AbortSignal
  readonly first: () => Signal | undefined
} {
  const controller = new AbortController()
  let first: Signal | undefined
  let at = 0
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (name === first && Date.now() - at < ECHO) return
      if (first) process.exit(exitCodeOf(name))
      first = name
      at = Date.now()
      controller.abort()
    })
  }
  return { signal: controller.signal, first: () => first }
}

/**
 * Keeps SIGHUP from ending the process: for a service it means to reload, even if there is nothing to reload. In a
 * terminal it means that the terminal has closed, which ends the process.
 */
export function surviveHangup(): void {
  if (!isatty(0)) process.on('SIGHUP', () => {})
}
