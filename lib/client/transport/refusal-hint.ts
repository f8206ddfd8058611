import { HEADER } from '../../protocol/headers.js'
import { HRESULT } from '../../protocol/hresult.js'
import type { RefusalFacts } from '../../uploader/refusal.js'
import { isDestinationTaken } from '../../uploader/retry-policy.js'
import { ADVICE } from '../advice.js'

/** What the user can do about a refusal, in sentences; empty if the status is sufficient. */
export function hintFor(facts: RefusalFacts): string {
  const { request, response, hresult } = facts
  const { kind: packet } = request
  const { status } = response
  if (status >= 300 && status <= 399) return redirectHint(facts)
  if (status === 401) return credentialsHint(facts)
  if (status === 407) return `The proxy asks for other credentials: ${ADVICE.proxyCredentials}.`
  if (isDestinationTaken(packet, hresult)) {
    return 'A file of this name exists, and the server does not overwrite it.'
  }
  if (packet === 'Create-Session' && status === 403 && hresult === HRESULT.E_ACCESSDENIED) {
    return 'A file of this name may exist already, or this path may not be allowed.'
  }
  const speaksBits = response.header(HEADER.packetType) !== undefined
  return speaksBits || packet === 'GET' ? '' : otherServerHint(facts)
}

/** Statuses of servers and proxies that know neither the verb nor the path. */
const NOT_BITS = new Set([400, 404, 405, 410, 411, 501])

function otherServerHint({ request, response }: RefusalFacts): string {
  const { kind: packet } = request
  if (!NOT_BITS.has(response.status)) return ''
  return packet === 'Create-Session' || packet === 'Ping'
    ? 'Nothing at this URL speaks BITS (the response has no BITS-Packet-Type): check the URL and its path.'
    : 'The response has no BITS-Packet-Type: it does not come from a BITS server.'
}

/**
 * Redirects are not followed: Windows does not follow them for uploads either, and credentials might go to an unknown
 * host.
 */
function redirectHint({ request, response }: RefusalFacts): string {
  const { url } = request
  const location = response.header('Location')
  if (location === undefined || !URL.canParse(location, url.href)) return ''
  // Only this part: a query may contain a secret.
  const { origin, protocol, pathname } = new URL(location, url)
  if (protocol !== 'http:' && protocol !== 'https:') return ''
  return `It redirects to ${origin}${pathname}: upload to that URL if it is the right one.`
}

function credentialsHint({ request, response }: RefusalFacts): string {
  const inHeaders = Object.keys(request.headers).some((name) => name.toLowerCase() === 'authorization')
  if (inHeaders || request.authenticated)
    return `It does not accept these credentials: ${ADVICE.credentials}.`
  const offered = schemesOf(response.header('WWW-Authenticate') ?? '')
  const others = offered.length > 0 && !offered.some((scheme) => /^(?:basic|bearer)$/i.test(scheme))
  const only = others ? ` (${offered.join(', ')})` : ''
  const takesTickets = offered.some((scheme) => /^negotiate$/i.test(scheme))
  const ticket = takesTickets ? `, or ${ADVICE.ticket}` : ''
  return `It asks for credentials${only}: ${ADVICE.credentials}${ticket}.`
}

/** The names of authentication schemes in a `WWW-Authenticate` (RFC 9110 11.6.1). */
function schemesOf(challenges: string): string[] {
  const unquoted = challenges.replace(/"[^"]*"/g, '""')
  return unquoted.split(',').flatMap((element) => {
    const part = element.trim()
    const name = /^[a-z][\w-]*/i.exec(part)?.[0] ?? ''
    const isParameter = part.slice(name.length).trimStart().startsWith('=')
    return name === '' || isParameter ? [] : [name]
  })
}
