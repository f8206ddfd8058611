import { asError } from '../util/errors.js'

/** Parts of messages of MIT Kerberos and Heimdal, and what to do. */
const REMEDIES: readonly (readonly [pattern: RegExp, remedy: string])[] = [
  [
    /replay/i,
    'The same token was sent twice: by a client or proxy that repeated the request, or by an attacker who recorded it.',
  ],
  [/clock skew/i, 'The clocks of client and server differ by more than five minutes: synchronize both.'],
  [/ticket expired|ticket has expired/i, 'The client has to get a new ticket.'],
  [
    /permission denied|no such file|key table file|unreadable/i,
    'The process cannot read the keytab: set the option keytab or KRB5_KTNAME, and let its user read the file.',
  ],
  [
    /no key table entry|wrong principal|not found in keytab|cannot find key|key version|kvno/i,
    'The keytab has no key for the ticket: "klist -k" must list the name that clients use (HTTP/host), and the ' +
      'keytab must be newer than the last change of its password.',
  ],
  [
    /integrity check failed|decrypt/i,
    'The key in the keytab is not that of the account: create the keytab again after its password has changed.',
  ],
  [
    /encryption type|etype/i,
    'The keytab lacks a key of the encryption type of the ticket: add AES keys to it.',
  ],
  [
    /cannot find mechanisms|no kerberos credentials|credentials cache|no credentials were supplied/i,
    'There is no ticket: run "kinit" first, or set KRB5CCNAME to a cache that holds one.',
  ],
  [
    /server not found|unknown server/i,
    'The domain knows no service of this name: use the DNS name of the server, registered as HTTP/host.',
  ],
  [
    /unsupported mechanism|unknown mech|invalid token|defective token/i,
    'The token is damaged, or holds no Kerberos ticket.',
  ],
]

/** The message of a Kerberos error, and what to do about it. */
export function explain(error: unknown): string {
  const message = asError(error).message.trim().replace(/\.$/, '')
  const remedy = REMEDIES.find(([pattern]) => pattern.test(message))?.[1]
  return remedy === undefined ? `${message}.` : `${message}. ${remedy}`
}

export const NTLM_ADVICE =
  'The client sent NTLM instead of a Kerberos ticket. Windows does so when it finds no ticket for the host in the URL: use the ' +
  'DNS name of the server instead of its address, register it with "setspn -S HTTP/host account", and check with "klist ' +
  'get HTTP/host" on the client.'
