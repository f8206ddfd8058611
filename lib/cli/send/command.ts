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

  Continue after an interruption, Ctrl+C or a reboot: run the same command again.

  With a password: from a prompt or, in scripts, from the environment or a file:
    $ npx express-bits-upload send backup.zip https://server/ --user alice
    $ BITS_PASSWORD=... npx express-bits-upload send backup.zip https://server/ --user alice
    $ npx express-bits-upload send backup.zip https://server/ --user alice --password-file /run/secrets/bits

  With a token that stays out of the process list (a line of the file is "Authorization: Bearer ..."):
    $ npx express-bits-upload send backup.zip https://server/ --header @headers.txt

  To a server whose certificate your own CA signed, with a client certificate:
    $ npx express-bits-upload send backup.zip https://server/ --ca ca.pem --cert me.pem --key me.key

  Through a proxy; https_proxy, http_proxy, all_proxy and no_proxy work as in curl:
    $ HTTPS_PROXY=http://proxy:3128 npx express-bits-upload send backup.zip https://server/

  Write the server application's reply to a file instead of standard output:
    $ npx express-bits-upload send inventory.xml https://server/ --reply-to policy.xml

  Windows does not need Node.js:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\backup.zip -Destination http://server:8080/backup.zip

Exit codes: 0 sent, 1 failure on this machine (file unreadable or changed, reply not writable), 2 usage error,
3 refused by the server, or server not trusted: fix the cause before trying again,
4 gave up after --retries: a later attempt may succeed, 130 stopped by Ctrl+C, 143 by SIGTERM. With several files,
the highest of these.`

/** Adds `send` to the program. @param done receives the exit code. */
export function addSendCommand(program: Command, done: (exitCode: number) => void): void {
  program
    .command('send')
    .description('upload files as Windows does: interrupted uploads resume, for days if necessary')
    .usage('[options] <file...> <url>')
    // Commander accepts a list only as the last argument, so the URL is taken from its end.
    .argument(
      '<file...>',
      'files or directories to upload, then the destination URL; if it ends with a slash, their names are added',
    )
    .optionsGroup('Authentication:')
    .option('--user <name>', 'user name for HTTP Basic; prompts for the password unless BITS_PASSWORD is set')
    .option('--password-file <file>', 'read the password from the first line of a file; - for standard input')
    .option('--negotiate', 'authenticate with a Kerberos ticket, from kinit or the Windows logon')
    .option(
      '--header <header>',
      'header to send, "Name: value", or @file with one per line; may be repeated',
      collect,
    )
    .option('--ca <file>', 'CA certificates (PEM) to trust instead of the default ones')
    .option('--cert <file>', 'client certificate (PEM), with --key')
    .option('--key <file>', 'private key (PEM) of the client certificate')
    .optionsGroup('Transfer:')
    .option('--fragment-size <size>', 'bytes per request, 5KB to 13MB (default: 4MB)', size)
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
      "file for the server application's reply, if any; - for standard output (default: -)",
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
