import type { Ack } from '../../types/packets.js'

/** Ping: the server is there. No session is looked at, whatever the request says (MC-BUP 3.2.5.2.5, D6). */
export const ping = (): Ack => ({ status: 200, headers: {} })
