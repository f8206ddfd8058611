import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * A free port of 127.0.0.1, for programs that cannot choose one themselves. It is outside the range that the system
 * assigns: until the program listens, any server on "port 0" could get it.
 */
export async function freePort(): Promise<number> {
  const port = 15_000 + Math.floor(Math.random() * 15_000)
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return freePort()
  }
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves when a server listens there. Rejects when `hasEnded`, or after twenty seconds. */
export async function untilListening(port: number, hasEnded: () => boolean): Promise<void> {
  for (let tries = 0; tries < 800; tries++) {
    if (hasEnded()) throw new Error('It ended.')
    if (await accepts(port)) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`Nothing listens on port ${port}.`)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
