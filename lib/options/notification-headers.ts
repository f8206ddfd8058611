import { validateHeaderName, validateHeaderValue } from 'node:http'

/** Headers of a notification that users cannot set (MC-BUP 2.2.12). */
const NOTIFICATION_HEADERS = new Set([
  'bits-original-request-url',
  'bits-request-datafile-name',
  'bits-response-datafile-name',
  'connection',
  'content-length',
  'expect',
  'host',
  'transfer-encoding',
  'user-agent',
])

/** A header that cannot be added to a notification. */
export interface WrongHeader {
  readonly name: string
  /** Shows no value: it may be a secret. */
  readonly why: string
}

/** The first of the headers that cannot be added to a notification; `undefined` when all can. */
export function findWrongHeader(headers: Iterable<readonly [string, unknown]>): WrongHeader | undefined {
  const before = new Set<string>()
  for (const [name, value] of headers) {
    const why = headerProblem(name, value, before)
    if (why !== undefined) return { name, why }
    before.add(name.toLowerCase())
  }
  return undefined
}

function headerProblem(name: string, value: unknown, before: ReadonlySet<string>): string | undefined {
  if (NOTIFICATION_HEADERS.has(name.toLowerCase())) return 'each notification has its own; leave it out'
  if (before.has(name.toLowerCase())) return 'it is set twice; set it once'
  if (typeof value !== 'string') return `its value is of type ${typeof value}; use a string`
  // Most likely a variable that is not set, and then the handler would not be protected.
  if (value === '') return 'it has no value; set one'
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return undefined
  } catch {
    return 'there is a character in it that a header cannot have; take ASCII'
  }
}
