import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Attack {
  /** Responses so far, by status. */
  readonly answers: ReadonlyMap<number, number>
  /** Resolves when this many requests have been sent. */
  sent(count: number): Promise<void>
  stop(): void
}

export interface AttackOptions {
  readonly port: number
  readonly connections: number
  /** Source address of a connection: any in 127.0.0.0/8 on Linux. */
  readonly addressOf: (connection: number) => string
  readonly userOf: (connection: number) => string
}

/**
 * Sends Create-Session packets with wrong passwords: on each connection, the next one follows the response to the last
 * one.
 */
export function sendWrongPasswords({ port, connections, addressOf, userOf }: AttackOptions): Attack {
  const answers = new Map<number, number>()
  const sockets = new Set<Socket>()
  let sent = 0
  let stopped = false
  let wake = () => {}

  async function guess(connection: number): Promise<void> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: addressOf(connection) })
    sockets.add(socket)
    socket.on('error', () => {})
    await once(socket, 'connect')
    let text = ''
    const send = () => {
      socket.write(guessOf(userOf(connection), `${connection} ${sent}`))
      sent++
      wake()
    }
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
      if (!text.includes('\r\n\r\n')) return
      const status = Number(text.slice(9, 12))
      answers.set(status, (answers.get(status) ?? 0) + 1)
      text = ''
      send()
    })
    socket.on('close', () => {
      sockets.delete(socket)
      if (!stopped) void guess(connection).catch(() => {})
    })
    send()
  }

  for (let n = 0; n < connections; n++) void guess(n).catch(() => {})
  return {
    answers,
    async sent(count) {
      while (sent < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    stop() {
      stopped = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

const guessOf = (user: string, password: string): string =>
  [
    'BITS_POST /wrong.bin HTTP/1.1',
    'Host: 127.0.0.1',
    'BITS-Packet-Type: Create-Session',
    'BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}',
    `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n')
