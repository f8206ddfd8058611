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

  Encrypt connections, require passwords, and show uploads as they happen:
    $ npx express-bits-upload passwd users.htpasswd alice
    $ npx express-bits-upload serve /srv/incoming --host 0.0.0.0 --port 443 \\
        --tls-cert cert.pem --tls-key key.pem --htpasswd users.htpasswd --list --live

  Send a file as Windows does; after an interruption, run the same command again:
    $ npx express-bits-upload send backup.zip https://files.example.com/backup.zip

  Send one from Windows:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\backup.zip -Destination http://server:8080/backup.zip
    C:\\> bitsadmin /transfer backup /upload /priority foreground http://server:8080/backup.zip C:\\backup.zip

See also: express-bits-upload serve --help, express-bits-upload send --help`

/**
 * Runs a command line.
 *
 * @param argv as `process.argv`.
 * @returns the exit code. Errors are printed to standard error.
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done
  const program = new Command('express-bits-upload')
    .description(
      'Receive and send files the way the Windows Background Intelligent Transfer Service (BITS) uploads them.',
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
    // Commander has already printed it.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    return report(error)
  }
}

/** Prints an error, with its stack if DEBUG is set in the environment. @returns the exit code. */
export function report(error: unknown): number {
  const { message, stack } = asError(error)
  printError(`error: ${message}`)
  if (process.env.DEBUG) printError(stack ?? '')
  return error instanceof CliError ? error.exitCode : EXIT.failure
}
