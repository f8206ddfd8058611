import { EventEmitter } from 'node:events'
import type { BitsUploadEvents, SessionInfo } from '../types/events.js'
import type { Logger } from '../types/options.js'
import { escapeControls } from './logging/escape-controls.js'
import { asError } from './util/errors.js'

/** Emits an event to the application's listeners. */
export type Emit = <Name extends keyof BitsUploadEvents>(name: Name, ...args: BitsUploadEvents[Name]) => void

/** An emitter whose listeners may be async functions: a rejection is reported, and does not end the process. */
export function createEmitter(logger: Logger): EventEmitter {
  const events = new EventEmitter({ captureRejections: true })
  return Object.assign(events, {
    [EventEmitter.captureRejectionSymbol]: (error: unknown, name: string) =>
      reportListenerError(logger, name, error),
  })
}

function reportListenerError(logger: Logger, name: string, error: unknown): void {
  logger.error(`A listener of "${name}" threw: ${stackOf(error)}`)
}

/** Notifies listeners and the log. A listener that throws is reported, and does not affect the upload. */
export function createEmit(events: EventEmitter, logger: Logger): Emit {
  return (name, ...args) => {
    logEvent(logger, name, args)
    // An 'error' event without listeners would end the process.
    if (name === 'error' && events.listenerCount('error') === 0) return
    try {
      events.emit(name, ...args)
    } catch (error) {
      reportListenerError(logger, name, error)
    }
  }
}

function logEvent(
  logger: Logger,
  name: keyof BitsUploadEvents,
  args: BitsUploadEvents[keyof BitsUploadEvents],
): void {
  // The packet is logged with its status and the reason.
  if (name === 'refused') return
  const [subject] = args
  if (!('destination' in subject)) logger.error(`BITS upload: ${stackOf(subject)}`)
  else if (name === 'uploaded') logger.info(`BITS upload: "${subject.destination}" is published.`)
  else if (name === 'progress') logger.debug?.(`BITS upload: ${described(subject)}`)
  else logger.info(`BITS upload: session ${name === 'session' ? 'begun' : name}: ${described(subject)}`)
}

function described(subject: { destination: string } & Partial<SessionInfo>): string {
  const { destination, received = 0, total, user } = subject
  return `"${destination}", ${received} of ${total ?? '?'} bytes${user === undefined ? '' : `, user ${user}`}`
}

/** A stack trace with its message on one line: the message may quote a client. */
function stackOf(thrown: unknown): string {
  const { message, stack = message } = asError(thrown)
  return stack.replace(message, () => escapeControls(message))
}
