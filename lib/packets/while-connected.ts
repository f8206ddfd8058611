import type { Request } from 'express'

/**
 * Does something that is of no use to a client that has gone.
 *
 * @param work given a signal that aborts when the connection closes, as far as Node learns of it: not before it has read
 * what is left of the body. (The request's own `close` comes when its body has been read, too.)
 */
export async function whileConnected<T>(
  { socket }: Request,
  work: (connected: AbortSignal) => Promise<T>,
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
