import { BitsClientError } from './client-error.js'

/**
 * Resolves `BITS-Reply-URL` as the server means it: relative to the directory of the destination at the origin host,
 * whatever `BITS-Host-Id` says (capture MC-BUP 4.2). The URL parser does the rest: `\` becomes `/`, and braces are
 * percent-encoded.
 */
export function resolveReplyUrl(replyUrl: string, destination: URL): URL {
  const url = URL.canParse(replyUrl, destination.href) ? new URL(replyUrl, destination) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new BitsClientError('BITS-Reply-URL is not an http: or https: URL.', {
    packet: 'Fragment',
    fatal: true,
  })
}
