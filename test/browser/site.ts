import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { type BitsUploadOptions, bitsUpload } from 'express-bits-upload'
import { RecordingLogger } from '../support/serve.js'

const PAGE = '<!doctype html><title>Upload</title><input type="file">'

export interface SiteOptions extends BitsUploadOptions {
  /** The module for browsers, served as /browser.js. */
  module: string
  /** Runs before `bitsUpload()`. */
  before?: RequestHandler
  port?: number
  /** The page at /. Default: an input for a file. */
  html?: string
}

export interface Site {
  readonly origin: string
  readonly port: number
  readonly bits: ReturnType<typeof bitsUpload>
  /** Packets as `Create-Session`, `Fragment bytes 0-9/10`; other requests by their method, such as `OPTIONS`. */
  readonly asked: string[]
  stop(): Promise<void>
}

/** A page with an input for a file, and uploads at /uploads. */
export async function startSite({
  module,
  before,
  port = 0,
  html = PAGE,
  ...options
}: SiteOptions): Promise<Site> {
  const bits = bitsUpload({ logger: new RecordingLogger(), ...options })
  const asked: string[] = []
  const app = express()
  app.get('/', (_, res) => void res.type('html').send(html))
  app.get('/browser.js', (_, res) => void res.type('js').send(module))
  app.use('/uploads', (req, _, next) => {
    const packet = req.get('bits-packet-type') ?? req.method
    const range = req.get('content-range')
    asked.push(range ? `${packet} ${range}` : packet)
    next()
  })
  if (before) app.use(before)
  app.use('/uploads', bits)
  const server = createServer(app).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${address.port}`,
    port: address.port,
    bits,
    asked,
    async stop() {
      server.close()
      server.closeAllConnections()
      await bits.close()
    },
  }
}
