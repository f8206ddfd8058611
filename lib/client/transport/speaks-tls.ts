import { connect } from 'node:tls'

/** Milliseconds. */
const PATIENCE = 2000

/**
 * Tries a TLS handshake with a host and port that did not respond to plain HTTP. Many servers, including Node's,
 * close the connection without a message when a client omits the `s` of `https:`.
 */
export function speaksTls({ hostname, port }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port || 80),
      // Nothing is sent, so any certificate is accepted.
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
