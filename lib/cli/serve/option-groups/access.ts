import type { Command } from 'commander'
import { urlPath } from '../../values.js'

/** Who may upload, and who may see what was uploaded. */
export function addAccessOptions(command: Command): void {
  command
    .optionsGroup('Access control:')
    .option(
      '--htpasswd <file>',
      'require a user name and password from this file, which is reread when it changes',
    )
    .option(
      '--negotiate',
      'accept Kerberos tickets, as domain-joined Windows sends them; with --htpasswd, passwords too',
    )
    .option(
      '--service <name>',
      'service principal, for example HTTP@host (default: HTTP, any host in the keytab)',
    )
    .option(
      '--keytab <file>',
      'keytab with the key of the service (default: KRB5_KTNAME, or /etc/krb5.keytab)',
    )
    .option('--realm <text>', 'name of this server in password prompts', 'BITS uploads')
    .option(
      '--trust-session-id',
      'ask for the password only when an upload starts, for clients that send it only once; anyone who learns ' +
        'a session id, for example from an unencrypted connection, can then continue or cancel that upload',
    )
    .option('--read', 'serve uploaded files (GET, HEAD)')
    .option('--list', 'list directories, and serve uploaded files')
    .option('--live', 'show uploads in progress on a page at /live/')
    .option('--live-path <path>', 'URL path of that page', urlPath)
    .option('--live-actions', 'buttons on that page to cancel uploads, for everyone who may see it')
    .option(
      '--live-host <name>',
      'with --live-actions, the name of a proxy on this machine that asks for users',
    )
    .option('--metrics [path]', 'serve metrics for Prometheus, at /metrics by default', urlPath)
    .option('--health [path]', 'answer readiness checks, at /health by default, without a password', urlPath)
}
