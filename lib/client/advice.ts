/** What can be done about an error, for programs that use the client; `send` names its flags in place of it. */
export const ADVICE = {
  credentials: 'give them in `headers` or in the URL',
  certificate: 'give one in `tls`, as `cert` and `key`',
  largeReply: 'raise maxReplySize, or give replyTo to write it to a file',
} as const
