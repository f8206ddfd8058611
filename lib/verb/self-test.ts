import { Server as HttpServer } from 'node:http'
import { debuglog } from 'node:util'
import { property } from '../util/property.js'
import { attachRestarter } from './attach-restarter.js'
import { InMemorySocket } from './in-memory-socket.js'
import { connectionsOf } from './parser-arguments.js'

const debug = debuglog('express-bits-upload')
let result: boolean | undefined

/**
 * Tells whether the parsers of this version of Node can be restarted, as {@link attachRestarter} does. Tested once, by
 * requests on a connection in memory. They stop at the parser: neither servers nor their observers see them.
 */
export function canRestartParsers(): boolean {
  result ??= tryRestart()
  return result
}

function tryRestart(): boolean {
  try {
    const received = restartOnce()
    if (received === EXPECTED) return true
    debug('Restarting the HTTP parser of Node %s gave %j instead of %j', process.version, received, EXPECTED)
  } catch (error) {
    debug('The HTTP parser of Node %s cannot be restarted: %s', process.version, error)
  }
  debug('BITS_POST is received by a listener on each connection, which is slower')
  return false
}

const EXPECTED = 'GET /1 BITS_POST /2 PUT /3 BITS_POST /4 BITS_POST /5 BIND /6'
const PACKETS = [
  'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nBITS_POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nBITS_',
  'POST PUT /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na\r\nBITS_POST \r\n0\r\n\r\nB',
  'ITS_POST /4 HTTP/1.1\r\nHost: a\r\n\r\nBITS',
  '_POST /5 HTTP/1.1\r\nHost: a\r\n\r\nBIND /6 HTTP/1.1\r\n\r\n',
]

function restartOnce(): string {
  const server = new HttpServer()
  const socket = new InMemorySocket()
  const requests: string[] = []
  // As `server.listen()` does: from now on the server has a list of its connections.
  server.emit('listening')
  try {
    if (!connectionsOf(server)) throw new Error('The server has no list of its connections.')
    server.emit('connection', socket)
    const parser = property(socket, 'parser')
    if (typeof parser !== 'object' || parser === null) throw new Error('The socket has no parser.')
    const onIncoming = (request: unknown) => {
      requests.push(`${property(request, 'method')} ${property(request, 'url')}`)
      return 0
    }
    Object.assign(parser, { onIncoming })
    if (!attachRestarter(server, socket)) throw new Error('The parser is of another kind.')
    for (const packet of PACKETS) socket.emit('data', Buffer.from(packet))
    server.closeAllConnections()
    if (!socket.destroyed) throw new Error('The server lost its connection.')
    return requests.join(' ')
  } finally {
    socket.destroy()
    server.close()
  }
}
