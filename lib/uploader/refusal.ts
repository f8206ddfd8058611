import { HEADER } from '../protocol/headers.js'
import { hresultOfStatus } from '../protocol/hresult.js'
import { BitsClientError, describeHresult, type RemoteContext, type RequestKind } from './client-error.js'
import type { ResponseHead } from './response-head.js'
import { isFatal } from './retry-policy.js'

/** The request that a response belongs to. */
export interface AnsweredRequest {
  readonly kind: RequestKind
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Whether credentials were added to the headers. Default: false. */
  readonly authenticated?: boolean
  /** What the user can do about a refusal, in sentences; empty if the status is sufficient. */
  readonly hint?: (facts: RefusalFacts) => string
}

/** The known facts about a refusal. */
export interface RefusalFacts {
  readonly request: AnsweredRequest
  readonly response: ResponseHead
  /** The one in `BITS-Error-Code` or `BITS-Error`. */
  readonly hresult: number | undefined
}

/** The error for a response with a status other than success. */
export function refusal(request: AnsweredRequest, response: ResponseHead): BitsClientError {
  const { kind } = request

  const { status } = response
  const header = (name: string): string | undefined => response.header(name)
  const reported = parseHresult(header(HEADER.errorCode)) ?? parseHresult(header(HEADER.error))
  const hresult = reported ?? hresultOfStatus(status)
  const context = reported === undefined ? undefined : contextOf(header(HEADER.errorContext))
  const who = context === 'server application' ? 'server application' : 'server'
  const hint = request.hint?.({ request, response, hresult: reported })
  return new BitsClientError(
    `The ${who} answered ${kind} with ${status}, ${describeHresult(hresult)}.${hint ? ` ${hint}` : ''}`,
    { packet: kind, status, hresult, context, fatal: isFatal(kind, status, reported) },
  )
}

/** Hexadecimal with or without `0x`, as servers write it (protocol notes on MC-BUP 2.2.1.2). */
export function parseHresult(text: string | undefined): number | undefined {
  const match = /^(?:0?x)?([0-9a-f]{1,8})$/i.exec(text ?? '')
  return match ? Number.parseInt(match[1] ?? '', 16) : undefined
}

function contextOf(text: string | undefined): RemoteContext | undefined {
  const value = parseHresult(text)
  if (value === 0x5) return 'server'
  return value === 0x7 ? 'server application' : undefined
}
