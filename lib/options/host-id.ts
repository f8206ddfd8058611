import { isIPv6 } from 'node:net'
import { MAX_HOST_ID } from '../protocol/limits.js'

/** Checks the option `hostId`. */
export function isHostId(value: unknown): string | undefined {
  const expected = `a host as in a URL, "bits2.example.com" or "[::1]:8080", at most ${MAX_HOST_ID} characters`
  if (typeof value !== 'string' || value === '' || value.length > MAX_HOST_ID) return expected
  // The protocol allows IPv6 addresses without brackets, too (MC-BUP 2.2.3.2).
  const url = `http://${isIPv6(value) ? `[${value}]` : value}/`
  // It goes into a header: internationalized names have an ASCII form (RFC 3492).
  const isPlain = /^[!-~]+$/.test(value) && !/[/?#@\\]/.test(value)
  const hasEmptyPort = !isIPv6(value) && /:0*$/.test(value)
  return isPlain && !hasEmptyPort && URL.canParse(url) ? undefined : expected
}
