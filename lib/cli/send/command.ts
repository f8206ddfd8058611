import type { Command } from 'commander'
import { collect, count, size } from '../values.js'
import type { SendFlags } from './flags.js'

const SEND_EXAMPLES = `
Examples:
  Send a file; a URL that ends with a slash gets the file's name:
    $ npx express-bits-upload send backup.zip http://server:8080/
    $ npx express-bits-upload send backup.zip http://server:8080/nightly/monday.zip

  Go on after an interruption, Ctrl+C or a reboot: run the same line again.

  With a password, asked for, or from the environment or a file where nobody is there to ask:
    $ npx express-bits-upload send backup.zip https://server/ --user alice
    $ BITS_PASSWORD=... npx express-bits-upload send backup.zip https://server/ --user alice
    $ npx express-bits-upload send backup.zip https://server/ --user alice --password-file /run/secrets/bits

  With a token that stays out of the list of processes ("Authorization: Bearer ..." is a line of the file):
    $ npx express-bits-upload send backup.zip https://server/ --header @headers.txt

  To a server whose certificate your own authority signed, with a certificate of your own:
    $ npx express-bits-upload send backup.zip https://server/ --ca ca.pem --cert me.pem --key me.key

  What the server's application replies goes to the standard output, or to a file:
    $ npx express-bits-upload send inventory.xml https://server/ --reply-to policy.xml

  From Windows no Node is needed:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\backup.zip -Destination http://server:8080/backup.zip

Exit codes: 0 sent, 1 failure on this machine (file unreadable or changed, reply not to be written), 2 wrong usage,
3 refused by the server, or not to be trusted: something has to be changed first,
4 gave up after --retries: a later try may succeed, 130 stopped by Ctrl+C, 143 by SIGTERM.`

/** Adds `send` to the program. @param done told the exit code in the end. */
export function addSendCommand(program: Command, done: (exitCode: number) => void): void {
  program
    .command('send')
    .description('upload a file as Windows does, over days and broken lines if it must be')
    .argument('<file>', 'what to send')
    .argument('<url>', 'where to; with a slash at its end, the name of the file is added')
    .optionsGroup('Who you are:')
    .option('--user <name>', 'name for HTTP Basic; the password is asked for, or taken from BITS_PASSWORD')
    .option(
      '--password-file <file>',
      'take the password from the first line of a file, - for the standard input',
    )
    .option(
      '--header <header>',
      'a header, "Name: value", or @file with one a line; may be repeated',
      collect,
    )
    .option('--ca <file>', 'certificates (PEM) of authorities to trust, in place of the usual ones')
    .option('--cert <file>', 'certificate (PEM) to show, with --key')
    .option('--key <file>', 'its private key (PEM)')
    .optionsGroup('How to send:')
    .option('--fragment-size <size>', 'bytes sent at a time, 5KB to 13MB (default: 4MB)', size)
    .option('--retries <n>', 'failures in a row to bear with, or unlimited (default: 10)', count)
    .option('--restart', 'begin anew, whatever an earlier try has sent')
    .option(
      '--reply-to <file>',
      'where to write the reply of the server application, if there is one; - for the standard output (default: -)',
    )
    .option('-q, --quiet', 'say nothing but what went wrong')
    .optionsGroup('Help:')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', SEND_EXAMPLES)
    .action(async (file: string, url: string, flags: SendFlags) => {
      const { send } = await import('./send.js')
      done(await send(file, url, flags))
    })
}
