import type { Socket } from 'node:net'
import type { Request } from 'express'

/** Headers by which proxies identify themselves. */
const PROXY_HEADERS = ['via', 'forwarded', 'x-forwarded-for', 'x-real-ip'] as const

/** The users of connections that were authenticated once, for `persistent`. */
export class ConnectionUsers {
  readonly #users = new WeakMap<Socket, string>()

  get({ socket }: Request): string | undefined {
    return this.#users.get(socket)
  }

  set({ socket }: Request, user: string): void {
    this.#users.set(socket, user)
  }

  forget({ socket }: Request): void {
    this.#users.delete(socket)
  }
}

/** Whether a connection serves several users, as that of a proxy does. */
export function isFromProxy(req: Request): boolean {
  if (PROXY_HEADERS.some((name) => req.headers[name] !== undefined)) return true
  const trust: unknown = req.app.get('trust proxy fn')
  return typeof trust === 'function' && Boolean(trust(req.socket.remoteAddress, 0))
}
