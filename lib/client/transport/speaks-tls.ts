import { connect } from 'node:tls'

/** Milliseconds. */
const PATIENCE = 2000

/**
 * Tries a TLS handshake with a host and port that did not answer plain HTTP. Node's own servers, among others, hang up
 * on a client that forgot the `s` of `https:`, and say no more.
 */
export function speaksTls({ hostname, port }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port || 80),
      // Nothing is sent to it: whose certificate it has does not matter.
      rejectUnauthorized: false,
      timeout: PATIENCE,
    })
    const end = (answer: boolean) => (): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('secureConnect', end(true))
    socket.once('timeout', end(false))
    socket.once('error', end(false))
    socket.once('close', end(false))
  })
}
