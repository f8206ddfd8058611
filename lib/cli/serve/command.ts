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

  For a network: other machines, encrypted, with passwords, and what arrived to be listed and read:
    $ htpasswd -cB users.htpasswd alice
    $ npx express-bits-upload serve /srv/incoming --host 0.0.0.0 --port 443 \\
        --tls-cert cert.pem --tls-key key.pem --htpasswd users.htpasswd --list --live

  With limits, at http://server:8080/uploads/:
    $ npx express-bits-upload serve ./incoming --path /uploads \\
        --max-upload-size 10GB --max-bandwidth 20MB --session-timeout 3d --overwrite

  In place of an IIS virtual directory, with its properties, and its application told of each file:
    $ npx express-bits-upload serve D:\\uploads --iis-file virtual-directory.json \\
        --iis BITSServerNotificationType=1 --iis BITSServerNotificationURL=http://localhost/app.aspx \\
        --notify-timeout 60s --notify-header @secret.txt
    where virtual-directory.json holds { "BITSAllowOverwrites": 1, "BITSMaximumUploadSize": "10737418240" },
    and secret.txt a line like "Authorization: Bearer ...", for the application to know us by

  Then, from Windows:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination http://server:8080/a.zip
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination https://server/a.zip \`
          -Authentication Basic -Credential alice
    C:\\> bitsadmin /transfer job /upload /priority foreground http://server:8080/a.zip C:\\a.zip

Stopping: at SIGTERM or Ctrl+C no new connections are taken, running requests may finish (--grace), sessions
stay, and the next start goes on with them. A second signal, half a second later or more, ends at once.
At SIGHUP the file of --access-log is opened anew, for logrotate.

Exit codes: 0 stopped as told, 1 failure (port taken, file unreadable), 2 wrong usage or settings,
130 and 143 ended at once by a second Ctrl+C or SIGTERM.`

/** Adds `serve` to the program. @param done told the exit code in the end. */
export function addServeCommand(program: Command, done: (exitCode: number) => void): void {
  const command = program
    .command('serve')
    .description('receive BITS uploads into a directory, which is made if need be')
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
    done(await serve(directory, flags))
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
    .option('--grace <time>', 'how long running requests may take to finish when stopped', duration, 30)
}

function addAccessOptions(command: Command): void {
  command
    .optionsGroup('Who may do what:')
    .option(
      '--htpasswd <file>',
      'let in those whose name and password are in this file; read again when it changes',
    )
    .option(
      '--tls-client-ca <file>',
      'require client certificates of these authorities (PEM); the user is the common name of the subject',
    )
    .option('--realm <text>', 'what password prompts call this place', 'BITS uploads')
    .option(
      '--trust-session-id',
      'ask for the password only when an upload begins, for clients that send it only once; whoever learns ' +
        'the id of a session, from an unencrypted line for example, can then go on with that upload or cancel it',
    )
    .option('--read', 'files that arrived can be read (GET, HEAD)')
    .option('--list', 'directories can be listed, and files read')
    .option('--live', 'show uploads as they happen on a page, at /live/')
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
      'uploads a user may have going on (default: 50 for users with a name)',
      count,
    )
    .option(
      '--max-bandwidth <rate>',
      'bytes a second taken from all clients together, 20MB for example',
      rate,
    )
    .option('--max-session-bandwidth <rate>', 'bytes a second taken from each upload', rate)
    .option('--session-timeout <time>', 'forget uploads that were idle for so long (default: 14d)', duration)
    .option('--cleanup-interval <time>', 'time between two looks for such (default: 12h)', duration)
    .addOption(
      new Option('--durability <when>', 'when bytes are forced to the disk (default: "publish")').choices([
        'none',
        'publish',
        'fragment',
      ]),
    )
    .option('--shared', 'lock uploads across processes: for several servers on one directory')
    .option('--no-create-directories', 'refuse uploads into directories that do not exist')
    .option('--accept-post', 'take POST for BITS_POST, for proxies that cannot pass the verb')
    .option('--host-id <host>', 'host that clients are to turn to once an upload has begun')
    .option('--host-id-fallback-timeout <time>', 'when they give that up (default: 24h)', duration)
    .option('--notify-url <url>', 'tell this application of each file, as IIS does')
    .addOption(
      new Option(
        '--notify-type <type>',
        'tell it the path, or send it the bytes (default: "by-reference")',
      ).choices(['by-reference', 'by-value']),
    )
    .option('--notify-timeout <time>', 'how long it may take (default: 5m)', duration)
    .option(
      '--notify-header <header>',
      'a header for it, a secret that it asks for example: "Name: value", or @file with one a line; may be repeated',
      collect,
    )
}

function addIisOptions(command: Command): void {
  command
    .optionsGroup('Settings of IIS:')
    .option('--iis <property=value>', 'a property of an IIS virtual directory; may be repeated', collect)
    .option('--iis-file <file>', 'a JSON file with such properties')
}

function addLogOptions(command: Command): void {
  command
    .optionsGroup('Log:')
    .option(
      '--access-log <file>',
      'where a line for each request goes that HTTP understands, - for the standard output',
      '-',
    )
    .addOption(
      new Option('--log-format <format>', 'bits is common with packet, upload id and milliseconds added')
        .choices(['common', 'combined', 'bits', 'none'])
        .default('common'),
    )
    .option('-v, --verbose', 'say what happens to each upload')
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
