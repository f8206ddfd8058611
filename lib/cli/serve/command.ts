import { type Command, Option } from 'commander'
import { asError } from '../../util/errors.js'
import { CliError, EXIT } from '../output.js'
import {
  address,
  collect,
  count,
  duration,
  headerSize,
  port,
  rate,
  size,
  timeout,
  urlPath,
} from '../values.js'
import type { ServeFlags } from './flags.js'
import { TLS_VERSIONS } from './tls/versions.js'

const SERVE_EXAMPLES = `
Examples:
  Try it on this machine:
    $ npx express-bits-upload serve ./incoming

  For other machines, encrypted, with passwords, and with a list of what was uploaded:
    $ npx express-bits-upload passwd users.htpasswd alice
    $ npx express-bits-upload serve /srv/incoming --host 0.0.0.0 --port 443 \\
        --tls-cert cert.pem --tls-key key.pem --htpasswd users.htpasswd --list --live

  With limits, at http://server:8080/uploads/:
    $ npx express-bits-upload serve ./incoming --path /uploads \\
        --max-upload-size 10GB --max-bandwidth 20MB --session-timeout 3d --overwrite

  In place of an IIS virtual directory, with its properties and its application:
    $ npx express-bits-upload serve D:\\uploads --iis-file virtual-directory.json \\
        --iis BITSServerNotificationType=1 --iis BITSServerNotificationURL=http://localhost/app.aspx \\
        --notify-timeout 60s --notify-header @secret.txt
    where virtual-directory.json holds { "BITSAllowOverwrites": 1, "BITSMaximumUploadSize": "10737418240" },
    and secret.txt a line like "Authorization: Bearer ...", by which the application recognizes the server

  Then, from Windows:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination http://server:8080/a.zip
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination https://server/a.zip \`
          -Authentication Basic -Credential alice
    C:\\> bitsadmin /transfer job /upload /priority foreground http://server:8080/a.zip C:\\a.zip

Stopping: at SIGTERM or Ctrl+C the server accepts no new connections and lets running requests finish (--grace).
Sessions are kept, and the next start continues them. A second signal, at least half a second later, ends at once.
At SIGHUP the file of --access-log is opened again, for logrotate, and TLS certificates are read again.

Exit codes: 0 stopped by a signal, 1 failure (port taken, file unreadable), 2 wrong usage or settings,
130 and 143 ended at once by a second Ctrl+C or SIGTERM.`

/** Adds `serve` to the program. @param done receives the exit code. */
export function addServeCommand(program: Command, done: (exitCode: number) => void): void {
  const command = program
    .command('serve')
    .description('receive BITS uploads into a directory, which is created if it does not exist')
    .argument('<directory>', 'where the files go')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', SERVE_EXAMPLES)
  addServerOptions(command)
  addAccessOptions(command)
  addUploadOptions(command)
  addIisOptions(command)
  addLogOptions(command)
  command.action(async (directory: string, flags: ServeFlags) => {
    const { serve } = await loadServe()
    done(await serve(directory, flags, command))
  })
}

function addServerOptions(command: Command): void {
  command
    .optionsGroup('Server:')
    .option(
      '-H, --host <address>',
      'address to listen on; 0.0.0.0 or :: lets other machines in',
      address,
      '127.0.0.1',
    )
    .option('-p, --port <number>', 'port to listen on, 0 for any free one', port, 8080)
    .option('--tls-cert <file>', 'certificate (chain) in PEM; with --tls-key the server speaks https')
    .option('--tls-key <file>', 'its private key in PEM')
    .option('--tls-pfx <file>', 'certificate and key in one PKCS #12 file, as Windows exports them')
    .option('--tls-passphrase-file <file>', 'file whose first line opens an encrypted key or PKCS #12 file')
    .addOption(
      new Option('--tls-min-version <version>', 'oldest version of TLS to accept (default: "1.2")').choices(
        Object.keys(TLS_VERSIONS),
      ),
    )
    .option('--max-header-size <size>', 'largest head of a request', headerSize, 64 * 1024)
    .option('--path <path>', 'URL path of the directory', urlPath, '/')
    .option(
      '--idle-timeout <time>',
      'how long the bytes of a request may fail to come, or its response to be read, before it is ended',
      timeout,
      300,
    )
    .option(
      '--grace <time>',
      'how long running requests may take to finish when the server stops',
      duration,
      30,
    )
}

function addAccessOptions(command: Command): void {
  command
    .optionsGroup('Access control:')
    .option(
      '--htpasswd <file>',
      'require a name and password from this file; it is read again when it changes',
    )
    .option(
      '--negotiate',
      'accept Kerberos tickets, as domain-joined Windows sends them; with --htpasswd, passwords too',
    )
    .option(
      '--service <name>',
      'service of the tickets, HTTP@host for example (default: HTTP, any host in the keytab)',
    )
    .option(
      '--keytab <file>',
      'keytab with the key of the service (default: KRB5_KTNAME, or /etc/krb5.keytab)',
    )
    .option(
      '--tls-client-ca <file>',
      'require client certificates of these authorities (PEM); the user is the common name of the subject',
    )
    .option('--realm <text>', 'name of this server in password prompts', 'BITS uploads')
    .option(
      '--trust-session-id',
      'ask for the password only when an upload starts, for clients that send it only once; anybody who learns ' +
        'the id of a session, from an unencrypted connection for example, can then continue or cancel that upload',
    )
    .option('--read', 'serve uploaded files (GET, HEAD)')
    .option('--list', 'list directories, and serve uploaded files')
    .option('--live', 'show uploads in progress on a page at /live/')
    .option('--live-path <path>', 'URL path of that page, instead', urlPath)
}

function addUploadOptions(command: Command): void {
  command
    .optionsGroup('Uploads:')
    .option('--overwrite', 'an upload may replace a file')
    .option('--max-upload-size <size>', 'largest file, 10GB for example', size)
    .option('--max-fragment-size <size>', 'largest fragment of a file (default: 16MB)', size)
    .option(
      '--max-sessions-per-user <n>',
      'uploads that a user may have in progress (default: 50 for users with a name)',
      count,
    )
    .option(
      '--max-bandwidth <rate>',
      'bytes per second accepted from all clients together, 20MB for example',
      rate,
    )
    .option('--max-session-bandwidth <rate>', 'bytes per second accepted for each upload', rate)
    .option('--session-timeout <time>', 'remove uploads idle for this long (default: 14d)', duration)
    .option('--cleanup-interval <time>', 'interval between clean-ups (default: 12h)', duration)
    .addOption(
      new Option('--durability <when>', 'when bytes are forced to the disk (default: "publish")').choices([
        'none',
        'publish',
        'fragment',
      ]),
    )
    .option('--shared', 'lock uploads across processes: for several servers on one directory')
    .option('--no-create-directories', 'refuse uploads into directories that do not exist')
    .option('--accept-post', 'accept POST in place of BITS_POST, for proxies that reject the verb')
    .option('--host-id <host>', 'host that clients should use once an upload has started')
    .option(
      '--host-id-fallback-timeout <time>',
      'when clients return to the original host (default: 24h)',
      duration,
    )
    .option('--notify-url <url>', 'notify this application of each file, as IIS does')
    .addOption(
      new Option(
        '--notify-type <type>',
        'send the application the path, or the bytes (default: "by-reference")',
      ).choices(['by-reference', 'by-value']),
    )
    .option('--notify-timeout <time>', 'how long the application may take (default: 5m)', duration)
    .option(
      '--notify-header <header>',
      'header to send with notifications, a secret for example: "Name: value", or @file with one per line; may be repeated',
      collect,
    )
}

function addIisOptions(command: Command): void {
  command
    .optionsGroup('IIS settings:')
    .option('--iis <property=value>', 'a property of an IIS virtual directory; may be repeated', collect)
    .option('--iis-file <file>', 'a JSON file with such properties')
}

function addLogOptions(command: Command): void {
  command
    .optionsGroup('Log:')
    .option('--access-log <file>', 'file for the access log, - for the standard output', '-')
    .addOption(
      new Option('--log-format <format>', 'bits adds packet, upload id and milliseconds to common')
        .choices(['common', 'combined', 'bits', 'none'])
        .default('common'),
    )
    .option('-v, --verbose', 'log what happens to each upload')
    .option('--check', 'check options and files, print the options in force with secrets masked, and exit')
    .optionsGroup('Help:')
}

/** Only `serve` needs Express, which is a peer and so may be missing. */
async function loadServe(): Promise<typeof import('./serve.js')> {
  try {
    return await import('./serve.js')
  } catch (error) {
    const message = asError(error).message
    if (!message.includes("'express'")) throw error
    throw new CliError(EXIT.failure, 'serve needs the package express: npm install express', { cause: error })
  }
}
