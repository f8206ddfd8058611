import type { Agent } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { types } from 'node:util'
import type { TlsOptions } from 'express-bits-upload/client'
import { asError } from '../../util/errors.js'
import { usageError } from '../output.js'

/** A proxy from the environment, and an agent that connects through it. */
export interface EnvironmentProxy {
  readonly agent: Agent
  /** Additional options for requests through it. */
  readonly tls: TlsOptions | undefined
  /** Without user name and password, for messages. */
  readonly origin: string
  /** The environment variable that names it. */
  readonly variable: string
}

/**
 * The proxy for a URL, found as curl does: in `https_proxy` or `http_proxy`, by the scheme of the URL, or `all_proxy`,
 * in lower or upper case, unless `no_proxy` names the host.
 *
 * @param ca the authorities that a proxy at an `https:` URL may have its certificate from; default: Node's.
 * @returns `undefined` when there is none.
 * @throws CliError if the value of the variable is not the URL of an HTTP proxy.
 */
export async function proxyFor(url: URL, ca?: string): Promise<EnvironmentProxy | undefined> {
  // Loaded on demand: most commands need no proxy.
  const { getProxyForUrl } = await import('proxy-from-env')
  const found = getProxyForUrl(url.href)
  if (found === '' || isExempt(url, getProxyForUrl)) return undefined
  const variable = variableFor(url)
  // For a value without a scheme, the library assumes that of the URL; curl assumes http.
  const text = Object.values(process.env).includes(found) ? found : found.replace(/^[^:]*/, 'http')
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw usageError(
      `${variable} in the environment is not the URL of an HTTP proxy, such as http://proxy:3128.`,
    )
  }
  const proxy = { origin: new URL(text).origin, variable }
  const explain = (error: unknown): Error => unreachable(proxy, url, error)
  const options = { keepAlive: true, maxSockets: 1, ...(ca !== undefined && { ca }) }
  if (url.protocol === 'https:') {
    const agent = new (await import('https-proxy-agent')).HttpsProxyAgent(text, options)
    agent.connect = explaining(agent.connect.bind(agent), explain)
    return { ...proxy, agent, tls: tlsFor(url) }
  }
  const agent = new (await import('http-proxy-agent')).HttpProxyAgent(text, options)
  agent.connect = explaining(agent.connect.bind(agent), explain)
  return { ...proxy, agent, tls: undefined }
}

/** The variable that the library reads: the first that is set. */
function variableFor({ protocol }: URL): string {
  const names = [`${protocol.slice(0, -1)}_proxy`, 'all_proxy'].flatMap((name) => [name, name.toUpperCase()])
  return names.find((name) => process.env[name]) ?? 'https_proxy'
}

/** Wraps a function so that it rejects with the result of `explain` for its errors. */
const explaining =
  <Args extends unknown[], Result>(
    call: (...args: Args) => Promise<Result>,
    explain: (error: unknown) => Error,
  ): ((...args: Args) => Promise<Result>) =>
  async (...args) => {
    try {
      return await call(...args)
    } catch (error) {
      throw explain(error)
    }
  }

/** The error of a connection to the proxy, with its code: the client recognizes permanent ones. */
function unreachable(
  { origin, variable }: Pick<EnvironmentProxy, 'origin' | 'variable'>,
  url: URL,
  cause: unknown,
): Error {
  const code = types.isNativeError(cause) && 'code' in cause ? String(cause.code) : undefined
  // An AggregateError, for several addresses tried, has no message of its own.
  const why = asError(cause).message || code
  const message =
    `the proxy ${origin}, from ${variable} in the environment, does not answer (${why}): ` +
    `start it, correct ${variable}, or add ${url.hostname} to no_proxy`
  return Object.assign(new Error(message, { cause }), code !== undefined && { code })
}

/** The agent does not pass the address on to TLS, which would then look for `localhost` in the certificate. */
function tlsFor(url: URL): TlsOptions | undefined {
  const host = withoutBrackets(url.hostname)
  if (isIP(host) === 0) return undefined
  return {
    checkServerIdentity: (name, certificate) =>
      checkServerIdentity(name === 'localhost' ? host : name, certificate),
  }
}

const withoutBrackets = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1')

/** Handles the entries of `no_proxy` that curl supports and the library does not: names stand for their subdomains, and networks are known. */
function isExempt({ protocol, hostname, port }: URL, find: (url: string) => string): boolean {
  const host = withoutBrackets(hostname)
  const family = isIP(host)
  if (family !== 0) return exemptAddresses().check(host, family === 4 ? 'ipv4' : 'ipv6')
  const labels = host.split('.')
  const parents = labels.slice(1).map((_, index) => labels.slice(index + 1).join('.'))
  return parents.some((parent) => find(`${protocol}//${parent}${port && `:${port}`}/`) === '')
}

function exemptAddresses(): BlockList {
  const list = new BlockList()
  const entries = (process.env.no_proxy || process.env.NO_PROXY || '').split(/[,\s]+/)
  for (const entry of entries) {
    const [address = '', prefix] = entry.replace(/[[\]]/g, '').split('/')
    const family = isIP(address)
    if (family === 0) continue
    const bits = family === 4 ? 32 : 128
    const length = prefix === undefined ? bits : Number(prefix)
    // Anything else is not a network and exempts no host.
    if (Number.isInteger(length) && length >= 0 && length <= bits) {
      list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6')
    }
  }
  return list
}
