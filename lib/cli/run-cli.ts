import { Command, CommanderError } from 'commander'
import { asError } from '../util/errors.js'
import { CliError, EXIT } from './output.js'
import { addPasswdCommand } from './passwd/command.js'
import { printError } from './say.js'
import { addSendCommand } from './send/command.js'
import { addServeCommand } from './serve/command.js'
import { version } from './version.js'

const CLI_EXAMPLES = `
Examples:
  Receive uploads into ./incoming, from this machine only:
    $ npx express-bits-upload serve ./incoming

  Receive them from users with a password, encrypted, and show what is uploaded:
    $ npx express-bits-upload passwd users.htpasswd alice
    $ npx express-bits-upload serve /srv/incoming --host 0.0.0.0 --port 443 \\
        --tls-cert cert.pem --tls-key key.pem --htpasswd users.htpasswd --list --live

  Send a file as Windows does; after an interruption run the same line again:
    $ npx express-bits-upload send backup.zip https://files.example.com/backup.zip

  Send one from Windows:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\backup.zip -Destination http://server:8080/backup.zip
    C:\\> bitsadmin /transfer backup /upload /priority foreground http://server:8080/backup.zip C:\\backup.zip

More: express-bits-upload serve --help, express-bits-upload send --help`

/**
 * Runs a command line.
 *
 * @param argv as `process.argv`.
 * @returns the exit code. Errors have been printed to the standard error output.
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done
  const program = new Command('express-bits-upload')
    .description(
      "Receive and send files as Windows' Background Intelligent Transfer Service (BITS) uploads them.",
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', CLI_EXAMPLES)
    .exitOverride()
  const done = (code: number): void => {
    exitCode = code
  }
  addServeCommand(program, done)
  addSendCommand(program, done)
  addPasswdCommand(program, done)
  try {
    await program.parseAsync(argv)
    return exitCode
  } catch (error) {
    // Commander has printed it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    return report(error)
  }
}

/** Prints an error, with DEBUG in the environment also its stack. @returns the exit code. */
export function report(error: unknown): number {
  const { message, stack } = asError(error)
  printError(`error: ${message}`)
  if (process.env.DEBUG) printError(stack ?? '')
  return error instanceof CliError ? error.exitCode : EXIT.failure
}
