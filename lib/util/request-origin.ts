import type { Request } from 'express'

/**
 * How a request arrived. Recorded at once: when the connection closes during a delivery, Node forgets its addresses,
 * and with them Express whether to trust its proxy.
 */
export interface RequestOrigin {
  /** `http` or `https`, as the client used it; from a proxy's header if the option `trust proxy` allows that. */
  readonly protocol: string
  /** Host and port by which the client addressed this server. */
  readonly host: string
  /** Local address of the connection; `undefined` if it is not a TCP connection or has closed. */
  readonly local: { readonly address: string; readonly port: number; readonly secure: boolean } | undefined
}

/** `https://host:port`; `undefined` if the client did not send a host. */
export function originUrl({ protocol, host }: RequestOrigin): string | undefined {
  const origin = `${protocol}://${host}`
  return host !== '' && !/[/?#@\\]/.test(host) && URL.canParse(origin) ? origin : undefined
}

export function originOf(req: Request): RequestOrigin {
  const { localAddress: address, localPort: port } = req.socket
  const secure = 'encrypted' in req.socket && req.socket.encrypted === true
  const local = address === undefined || port === undefined ? undefined : { address, port, secure }
  return { protocol: req.protocol, host: hostOf(req), local }
}

/** The host and port by which the client addressed this server: from a proxy's header if the proxy is trusted. */
export function hostOf(req: Request): string {
  const forwarded = req.get('x-forwarded-host')?.split(',')[0]?.trim()
  return (forwarded && trustsProxy(req) ? forwarded : req.get('host')) ?? ''
}

/** Uses the setting `trust proxy` in the same way as Express. */
function trustsProxy(req: Request): boolean {
  const trust: unknown = req.app.get('trust proxy fn')
  return typeof trust === 'function' && Boolean(trust(req.socket.remoteAddress, 0))
}
