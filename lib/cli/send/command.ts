import { type Command, Option } from 'commander'
import { usageError } from '../output.js'
import { collect, count, size } from '../values.js'
import type { SendFlags } from './flags.js'

const SEND_EXAMPLES = `
Examples:
  Send a file; a URL that ends with a slash gets the file's name:
    $ npx express-bits-upload send backup.zip http://server:8080/
    $ npx express-bits-upload send backup.zip http://server:8080/nightly/monday.zip

  Send several files, and a directory with all files in it (photos/a.jpg goes to http://server:8080/in/photos/a.jpg):
    $ npx express-bits-upload send backup.zip notes.txt photos http://server:8080/in/

  Continue after an interruption, Ctrl+C or a reboot: run the same line again.

  With a password, asked for, or from the environment or a file for scripts:
    $ npx express-bits-upload send backup.zip https://server/ --user alice
    $ BITS_PASSWORD=... npx express-bits-upload send backup.zip https://server/ --user alice
    $ npx express-bits-upload send backup.zip https://server/ --user alice --password-file /run/secrets/bits

  With a token that stays out of the list of processes ("Authorization: Bearer ..." is a line of the file):
    $ npx express-bits-upload send backup.zip https://server/ --header @headers.txt

  To a server whose certificate your own authority signed, with a certificate of your own:
    $ npx express-bits-upload send backup.zip https://server/ --ca ca.pem --cert me.pem --key me.key

  Through a proxy, found in https_proxy, http_proxy, all_proxy and no_proxy as curl does:
    $ HTTPS_PROXY=http://proxy:3128 npx express-bits-upload send backup.zip https://server/

  What the server's application replies goes to the standard output, or to a file:
    $ npx express-bits-upload send inventory.xml https://server/ --reply-to policy.xml

  From Windows no Node is needed:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\backup.zip -Destination http://server:8080/backup.zip

Exit codes: 0 sent, 1 failure on this machine (file unreadable or changed, reply not to be written), 2 wrong usage,
3 refused by the server, or not to be trusted: something has to be changed first,
4 gave up after --retries: a later try may succeed, 130 stopped by Ctrl+C, 143 by SIGTERM. With several files the
highest of theirs.`

/** Adds `send` to the program. @param done receives the exit code. */
export function addSendCommand(program: Command, done: (exitCode: number) => void): void {
  program
    .command('send')
    .description('upload files as Windows does: resumed after interruptions, for days if necessary')
    .usage('[options] <file...> <url>')
    // Commander takes a list for its last argument only: the URL is the last word of it.
    .argument(
      '<file...>',
      'files to upload, or directories; then the destination URL: one that ends with a slash gets their names',
    )
    .optionsGroup('Authentication:')
    .option('--user <name>', 'name for HTTP Basic; the password is asked for, or taken from BITS_PASSWORD')
    .option(
      '--password-file <file>',
      'take the password from the first line of a file, - for the standard input',
    )
    .option(
      '--negotiate',
      'authenticate with a Kerberos ticket, of kinit or of the user logged on to Windows',
    )
    .option(
      '--header <header>',
      'a header, "Name: value", or @file with one a line; may be repeated',
      collect,
    )
    .option('--ca <file>', 'certificates (PEM) of authorities to trust, in place of the usual ones')
    .option('--cert <file>', 'certificate (PEM) to show, with --key')
    .option('--key <file>', 'its private key (PEM)')
    .optionsGroup('Transfer:')
    .option('--fragment-size <size>', 'bytes sent at a time, 5KB to 13MB (default: 4MB)', size)
    .option('--retries <n>', 'consecutive failures before giving up, or unlimited (default: 10)', count)
    .addOption(
      new Option(
        '--digest <algorithm>',
        'send the checksum of each file first, so that the server refuses a damaged one',
      ).choices(['sha256', 'sha512']),
    )
    .option('--restart', 'ignore saved state and start over')
    .option(
      '--reply-to <file>',
      'file for the reply of the server application, if there is one; - for the standard output (default: -)',
    )
    .option('-q, --quiet', 'print errors only')
    .optionsGroup('Help:')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', SEND_EXAMPLES)
    .action(async (words: string[], flags: SendFlags) => {
      const paths = words.slice(0, -1)
      if (paths.length === 0) throw usageError("missing required argument 'url'")
      const { send } = await import('./send.js')
      done(await send(paths, words.at(-1) ?? '', flags))
    })
}
