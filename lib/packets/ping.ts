import type { Ack } from '../../types/packets.js'

/**
 * Ping: confirms that the server is there. Sessions are ignored, whatever headers the request has (MC-BUP 3.2.5.2.5,
 * D6).
 */
export const ping = (): Ack => ({ status: 200, headers: {} })
