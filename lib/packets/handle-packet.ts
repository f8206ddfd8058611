import type { Awaitable } from '../../types/awaitable.js'
import type { Ack, Packet } from '../../types/packets.js'
import { cancelSession } from './cancel-session.js'
import { closeSession } from './close-session.js'
import type { PacketContext, UploadService } from './context.js'
import { createSession } from './create-session.js'
import { fragment } from './fragment.js'
import { ping } from './ping.js'

/** Calls the handler of the packet's type. */
export function handlePacket(packet: Packet, context: PacketContext, service: UploadService): Awaitable<Ack> {
  switch (packet.type) {
    case 'Ping':
      return ping()
    case 'Create-Session':
      return createSession(packet, context, service)
    case 'Fragment':
      return fragment(packet, context, service)
    case 'Close-Session':
      return closeSession(packet, context, service)
    case 'Cancel-Session':
      return cancelSession(context, service)
  }
}
