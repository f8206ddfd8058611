import { type Command, Option } from 'commander'
import { address, duration, headerSize, port, timeout } from '../../values.js'
import { TLS_VERSIONS } from '../tls/versions.js'

/** Options of the server as a whole, whatever it serves. */
export function addServerOptions(command: Command): void {
  command
    .optionsGroup('Server:')
    .option(
      '--config <file>',
      'JSON file with options, by their names without dashes, and "directory", or a list of "directories"; the command ' +
        'line takes precedence',
    )
    .option(
      '-H, --host <address>',
      'address to listen on; 0.0.0.0 or :: accepts other machines',
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
    .option(
      '--tls-client-ca <file>',
      'require client certificates from these CAs (PEM); the user is the common name of the subject',
    )
    .option('--max-header-size <size>', 'largest request headers', headerSize, 64 * 1024)
    .option(
      '--idle-timeout <time>',
      'how long a request may stall, because its body does not arrive or its response is not read',
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
