import type { Request } from 'express'

/**
 * By which way a request came in. Noted when it does: Node forgets the addresses of a connection that has closed, and
 * with them Express whether its proxy is to be believed, while a delivery takes its time.
 */
export interface RequestOrigin {
  /** `http` or `https`, as the client said it, where the option `trust proxy` lets a proxy tell. */
  readonly protocol: string
  /** Name and port by which the client called this server. */
  readonly host: string
  /** Where the server took the connection; `undefined` for what is no TCP, and for a connection that was gone. */
  readonly local: { readonly address: string; readonly port: number; readonly secure: boolean } | undefined
}

/** `https://host:port`; `undefined` when the client did not name a host. */
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

/** The host by which the client called this server, with its port: what a proxy says counts where it is trusted. */
export function hostOf(req: Request): string {
  const forwarded = req.get('x-forwarded-host')?.split(',')[0]?.trim()
  return (forwarded && trustsProxy(req) ? forwarded : req.get('host')) ?? ''
}

/** As Express itself asks its setting `trust proxy`. */
function trustsProxy(req: Request): boolean {
  const trust: unknown = req.app.get('trust proxy fn')
  return typeof trust === 'function' && Boolean(trust(req.socket.remoteAddress, 0))
}
