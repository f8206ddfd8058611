import type { PacketType } from '../../types/packets.js'
import { formatHresult } from '../protocol/headers.js'
import { HRESULT, hresultOfStatus } from '../protocol/hresult.js'

/** Which side failed, according to `BITS-Error-Context`: 0x5 the BITS server, 0x7 the server application behind it. */
export type RemoteContext = 'server' | 'server application'

/** A request that the client makes: a packet, or the `GET` of a reply. */
export type RequestKind = PacketType | 'GET'

export interface BitsClientErrorOptions extends ErrorOptions {
  packet?: RequestKind | undefined
  status?: number | undefined
  hresult?: number | undefined
  context?: RemoteContext | undefined
  fatal?: boolean
  connectionLost?: boolean
}

/** Why an upload did not succeed. Messages name hosts and paths of files, never credentials, headers or queries. */
export class BitsClientError extends Error {
  override readonly name = 'BitsClientError'
  /** The request that failed; absent if the local file is the cause. */
  readonly packet: RequestKind | undefined
  /** HTTP status; absent if there was no response. */
  readonly status: number | undefined
  /** Unsigned 32 bits: the server's, or 0x80190000 + status for a bare status; absent if there was no response. */
  readonly hresult: number | undefined
  /** Name of {@link hresult} in the Windows headers, `BG_E_HTTP_ERROR_404` for example, where it has one. */
  readonly hresultName: string | undefined
  readonly context: RemoteContext | undefined
  /** A retry cannot succeed until something changes. When false, a later attempt may succeed. */
  readonly fatal: boolean
  /** The connection was closed instead of a response. */
  readonly connectionLost: boolean

  constructor(message: string, options: BitsClientErrorOptions = {}) {
    super(message, options)
    this.packet = options.packet
    this.status = options.status
    this.hresult = options.hresult
    this.hresultName = options.hresult === undefined ? undefined : hresultName(options.hresult)
    this.context = options.context
    this.fatal = options.fatal ?? false
    this.connectionLost = options.connectionLost ?? false
  }
}

const HRESULT_NAMES = new Map<number, string>(Object.entries(HRESULT).map(([name, value]) => [value, name]))

/** The name of an HRESULT in the Windows headers, if it is known here. */
export function hresultName(hresult: number): string | undefined {
  const status = hresult - hresultOfStatus(0)
  return (
    HRESULT_NAMES.get(hresult) ?? (status >= 100 && status <= 999 ? `BG_E_HTTP_ERROR_${status}` : undefined)
  )
}

/** `0x80070005 (E_ACCESSDENIED)` */
export function describeHresult(hresult: number): string {
  const name = hresultName(hresult)
  return name ? `${formatHresult(hresult)} (${name})` : formatHresult(hresult)
}
