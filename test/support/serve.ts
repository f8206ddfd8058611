import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express, { type Express } from 'express'
import { type BitsUpload, type BitsUploadOptions, bitsUpload, type Logger } from 'express-bits-upload'

/** A logger that records each message as `level: message`. */
export class RecordingLogger implements Logger {
  readonly lines: string[] = []
  debug = (message: string) => void this.lines.push(`debug: ${message}`)
  info = (message: string) => void this.lines.push(`info: ${message}`)
  warn = (message: string) => void this.lines.push(`warn: ${message}`)
  error = (message: string) => void this.lines.push(`error: ${message}`)
}

export interface Running {
  readonly bits: BitsUpload
  readonly server: Server
  readonly port: number
  /** `http://127.0.0.1:port` */
  readonly origin: string
  readonly logger: RecordingLogger
  stop(): Promise<void>
}

export interface ServeOptions {
  /** Where `bitsUpload()` is mounted; default `/uploads`. */
  mount?: string
  /** Adds middleware ahead of `bitsUpload()`. */
  before?(app: Express): void
  /** Adds middleware behind it. */
  after?(app: Express): void
  /** Default: a free port. */
  port?: number
}

/** An Express app with `bitsUpload(options)`, listening on 127.0.0.1. The caller has to stop it. */
export async function serve(options: BitsUploadOptions, setup: ServeOptions = {}): Promise<Running> {
  const logger = new RecordingLogger()
  const bits = bitsUpload({ logger, ...options })
  const app = express()
  setup.before?.(app)
  app.use(setup.mount ?? '/uploads', bits)
  setup.after?.(app)
  const server = createServer(app)
  server.listen(setup.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = async () => {
    server.close()
    server.closeAllConnections()
    await bits.close()
  }
  return { bits, server, port, origin: `http://127.0.0.1:${port}`, logger, stop }
}

/** A new directory, which `remove()` removes. */
export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'bits-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** Resolves when a session has received this many bytes. */
export async function untilHeld({ bits }: Pick<Running, 'bits'>, count: number): Promise<void> {
  while (!(await bits.sessions()).some(({ received }) => received === count)) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
