import { MAX_HOST_ID } from '../protocol/limits.js'
import type { UploadState } from './upload-types.js'

/** A name or an address, IPv6 in brackets, with or without a port. */
const HOST = /^(\[[0-9a-f:.]+\]|[^\s/\\@?#:[\]]+)(?::(\d{1,5}))?$/i
/** An IPv6 address without brackets. */
const BARE_IPV6 = /^[^[].*:.*:|^::/

/**
 * The URL with `BITS-Host-Id` in place of its host, and of nothing else (MC-BUP 2.2.3.2): scheme, path and query stay,
 * and so does the port unless the host id names one.
 *
 * @returns undefined when the host id is not a host; one with a scheme is refused, too, so that `https:` stays.
 */
export function withHost(url: URL, hostId: string): URL | undefined {
  if (hostId.length > MAX_HOST_ID) return undefined
  const match = HOST.exec(BARE_IPV6.test(hostId) ? `[${hostId}]` : hostId)
  const [, host = '', port = url.port] = match ?? []
  const text = `${url.protocol}//${host}${port && `:${port}`}${url.pathname}${url.search}`
  return match && URL.canParse(text) ? new URL(text) : undefined
}

/**
 * Which host gets the packets: the origin, or the one that `BITS-Host-Id` names, until that has failed for longer than
 * the fallback time (MC-BUP 2.2.3.2, 3.1.2.3).
 */
export class UploadHost {
  readonly #origin: URL
  readonly #now: () => number
  #alternate: { url: URL; hostId: string; timeout: number | undefined } | undefined
  #failingSince: number | undefined

  /**
   * @param state of a resumed upload, which stays with its host.
   * @param now returns milliseconds.
   */
  constructor(origin: URL, state?: UploadState, now: () => number = Date.now) {
    this.#origin = origin
    this.#now = now
    if (state?.hostId !== undefined) this.adopt(state.hostId, state.hostIdFallbackTimeout)
  }

  get url(): URL {
    return this.#alternate?.url ?? this.#origin
  }

  get hostId(): string | undefined {
    return this.#alternate?.hostId
  }

  /** Seconds. */
  get fallbackTimeout(): number | undefined {
    return this.#alternate?.timeout
  }

  /**
   * @param timeout seconds; without it, the origin is never tried again. @returns false when the host id is not a host.
   */
  adopt(hostId: string, timeout: number | undefined): boolean {
    const url = withHost(this.#origin, hostId)
    if (!url) return false
    this.#alternate = { url, hostId, timeout }
    this.#failingSince = undefined
    return true
  }

  /** Starts the fallback timer, unless it is running. */
  failed(): void {
    if (this.#alternate) this.#failingSince ??= this.#now()
  }

  /** Stops the timer after a successful fragment. */
  reached(): void {
    this.#failingSince = undefined
  }

  /** Milliseconds until the origin is tried again; Infinity for never. */
  untilFallback(): number {
    if (this.#failingSince === undefined || this.#alternate?.timeout === undefined) return Infinity
    return Math.max(0, this.#failingSince + this.#alternate.timeout * 1000 - this.#now())
  }

  /** Back to the origin when it is time. @returns whether it was. */
  fallBackIfDue(): boolean {
    if (this.untilFallback() > 0) return false
    this.#alternate = undefined
    this.#failingSince = undefined
    return true
  }
}
