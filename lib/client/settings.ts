import { validateHeaderName, validateHeaderValue } from 'node:http'
import { HEADER } from '../protocol/headers.js'
import { REPR_DIGEST } from '../protocol/repr-digest.js'
import { defined } from '../util/objects.js'
import { OptionError } from '../validation/option-error.js'
import { checkClientOptions } from './option-checks.js'
import type { UploadOptions } from './options.js'
import type { CommonHeaders } from './transport/packet-headers.js'

/** Options with their defaults. */
export interface ClientSettings extends Readonly<UploadOptions> {
  readonly fragmentSize: number
  readonly cancelOnAbort: boolean
  readonly followHostId: boolean
  readonly retries: number
  readonly restarts: number
  readonly minRetryDelay: number
  readonly maxRetryDelay: number
  readonly sendTimeout: number
  readonly responseTimeout: number
  readonly maxReplySize: number
  /** Destination, without user name and password. */
  readonly url: URL
  readonly common: CommonHeaders
}

/**
 * Checks options and fills in the defaults.
 * @throws TypeError that says what is invalid.
 */
export function settingsOf(destination: string | URL, options: UploadOptions): ClientSettings {
  checkClientOptions(options)
  const url = parseUrl(destination)
  const authorization = basicAuthorization(url)
  url.username = ''
  url.password = ''
  url.hash = ''
  const headers = checkedHeaders(options.headers ?? {})
  const given = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')
  if (options.authenticate && (given || authorization)) refuseTwoCredentials()
  if (options.digest && Object.keys(headers).some((name) => name.toLowerCase() === REPR_DIGEST.toLowerCase()))
    refuseTwoDigests()
  const userAgent = options.userAgent ?? 'Microsoft BITS/7.8'
  validateHeaderValue('User-Agent', userAgent)
  if (options.resume) validateHeaderValue(HEADER.sessionId, options.resume.sessionId)
  return {
    ...options,
    url,
    common: {
      userAgent,
      custom: authorization && !given ? { ...headers, Authorization: authorization } : headers,
    },
    cancelOnAbort: options.cancelOnAbort ?? true,
    followHostId: options.followHostId ?? true,
    fragmentSize: options.fragmentSize ?? 4 * 1024 * 1024,
    retries: options.retries ?? 10,
    restarts: options.restarts ?? 3,
    minRetryDelay: options.minRetryDelay ?? 1000,
    maxRetryDelay: options.maxRetryDelay ?? 60_000,
    sendTimeout: options.sendTimeout ?? 120_000,
    responseTimeout: options.responseTimeout ?? 300_000,
    maxReplySize: options.maxReplySize ?? (options.replyTo === undefined ? 1024 * 1024 : Infinity),
    // Node treats `undefined` as a value.
    tls: options.tls && defined(options.tls),
  }
}

function parseUrl(destination: string | URL): URL {
  // Node's own error would contain the URL, and the password in it.
  if (!URL.canParse(String(destination))) throw new TypeError('The destination is not a URL.')
  const url = new URL(String(destination))
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(
      `The destination's scheme is "${url.protocol}"; BITS uploads go to "http:" or "https:".`,
    )
  }
  return url
}

function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return `Basic ${Buffer.from(credentials).toString('base64')}`
  } catch {
    // The cause adds nothing, but might show the password.
    throw new TypeError('The user name or password in the URL is not percent-encoded UTF-8.')
  }
}

const CLIENT_SUBJECT = 'express-bits-upload/client'

function refuseTwoCredentials(): never {
  const problem = 'is set, and so are credentials in `headers` or in the URL'
  throw new OptionError({
    subject: CLIENT_SUBJECT,
    option: 'authenticate',
    problem,
    expected: 'only one of them',
  })
}

function refuseTwoDigests(): never {
  const problem = `is set, and so is "${REPR_DIGEST}" in \`headers\``
  throw new OptionError({ subject: CLIENT_SUBJECT, option: 'digest', problem, expected: 'only one of them' })
}

const CLIENT_HEADERS = new Set(
  [
    ...Object.values(HEADER),
    'Accept-Encoding',
    'Range',
    'Host',
    'Content-Length',
    'Content-Encoding',
    'Transfer-Encoding',
    'Connection',
    'Expect',
  ].map((name) => name.toLowerCase()),
)

function checkedHeaders(headers: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    if (CLIENT_HEADERS.has(name.toLowerCase())) {
      const problem = `has "${name}", which the protocol itself uses`
      throw new OptionError({
        subject: CLIENT_SUBJECT,
        option: 'headers',
        problem,
        expected: 'other headers',
      })
    }
  }
  return headers
}
