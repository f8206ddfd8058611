/** Exit codes. `send --help` and `serve --help` list them. */
export const EXIT = {
  done: 0,
  /** On this machine: a file that cannot be read, a port that is taken. */
  failure: 1,
  /** The command line, or a settings file that it names, is invalid. */
  usage: 2,
  /** The server refused the file: something must change before another attempt. */
  refused: 3,
  /** The server was unreachable or failed in every attempt. */
  gaveUp: 4,
} as const

/** Ended by a signal, by the convention of shells. */
export const exitCodeOf = (signal: 'SIGINT' | 'SIGTERM'): number => (signal === 'SIGINT' ? 130 : 143)

/** Why a command ends, as a message for its user. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** An invalid option or setting. */
export const usageError = (message: string): CliError => new CliError(EXIT.usage, message)
