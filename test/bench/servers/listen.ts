import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { reportUsage } from './report-usage.js'

/** Listens on a free loopback port, for the benchmark that started this process. */
export function listen(handler: RequestListener, options: ServerOptions = {}): Server {
  const server = createServer(options, handler)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (typeof address === 'object' && address) reportUsage(address.port)
  })
  return server
}
