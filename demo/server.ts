import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { BitsUpload } from 'express-bits-upload'
import { createDemoApp, type DemoOptions } from './app.js'
import { systemErrorCode } from './error-code.js'

export interface ServerOptions extends DemoOptions {
  readonly directory: string
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
}

export interface RunningServer {
  readonly port: number
  /** `http://127.0.0.1:8080` */
  readonly origin: string
  readonly bits: BitsUpload
  /**
   * Closes connections and stops uploads. Received bytes are kept, and the next server on the same directory continues
   * with them. May be called twice.
   */
  stop(): Promise<void>
}

/** Starts the app of the demo. Rejects with `EADDRINUSE` when the port is taken. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { app, bits, close } = createDemoApp(options.directory, options)
  const server = createServer(app)
  try {
    await listenOn(server, options.port, options.host)
  } catch (error) {
    await close()
    throw error
  }
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : options.port
  return {
    port,
    origin: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    bits,
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await close()
      await closed
    },
  }
}

async function listenOn(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host)
  // Rejects if 'error' is emitted first.
  await once(server, 'listening')
}

/** Error codes of an unavailable port: taken, or reserved by the system. */
const UNAVAILABLE = new Set<unknown>(['EADDRINUSE', 'EACCES'])

/** Like {@link startServer}, but uses any free port when the requested one is unavailable. */
export async function startServerSomewhere(options: ServerOptions): Promise<RunningServer> {
  try {
    return await startServer(options)
  } catch (error) {
    if (!UNAVAILABLE.has(systemErrorCode(error))) throw error
    return startServer({ ...options, port: 0 })
  }
}
