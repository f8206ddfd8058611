import type { Request } from 'express'

/**
 * Does work that is pointless once the client has disconnected.
 * @param work receives a signal that aborts when the connection closes, as soon as Node notices: not before it has
 * read the rest of the body. (The request's own `close` event also follows the end of its body.)
 */
export async function whileConnected<T>(
  { socket }: Request,
  work: (disconnected: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort()
  socket.once('close', abort)
  if (socket.destroyed) abort()
  try {
    return await work(controller.signal)
  } finally {
    socket.off('close', abort)
  }
}
