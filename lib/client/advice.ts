/** What to do about an error, for programs that use the client; `send` replaces it with its flags. */
export const ADVICE = {
  credentials: 'pass them in `headers` or in the URL',
  ticket: 'set `authenticate` to negotiateClient() for a Kerberos ticket',
  proxyCredentials: 'pass them to the `agent`',
  certificate: 'pass one in `tls`, as `cert` and `key`',
  authority: "pass the certificate of the server's authority in `tls`, as `ca`",
  largeReply: 'raise maxReplySize, or use replyTo to write it to a file',
} as const
