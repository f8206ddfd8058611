import { once } from 'node:events'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach } from '@jest/globals'
import express from 'express'
import { type BitsUploadOptions, bitsUpload } from 'express-bits-upload'
import { RawConnection } from './raw.js'
import { RecordingLogger, type Running, type ServeOptions, serve, temporaryDirectory } from './serve.js'

export interface Fixtures {
  start(options: BitsUploadOptions, setup?: ServeOptions): Promise<Running>
  /** An https server with `bitsUpload({ directory })` at `/uploads`. Returns its port. */
  startTls(tls: ServerOptions, directory: string): Promise<number>
  connect(to: { port: number }): Promise<RawConnection>
  directory(): Promise<string>
  /** Calls `cleanup` after the test, the latest first. */
  afterwards(cleanup: () => unknown): void
}

/** Servers, connections and directories that are cleaned up after each test. Call it once per test file. */
export function fixtures(): Fixtures {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  const afterwards = (cleanup: () => unknown) => void cleanups.push(cleanup)
  return {
    afterwards,
    async start(options, setup) {
      const running = await serve(options, setup)
      afterwards(() => running.stop())
      return running
    },
    async startTls(tls, directory) {
      const bits = bitsUpload({ directory, logger: new RecordingLogger() })
      const server = createServer(tls, express().use('/uploads', bits)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      afterwards(async () => {
        server.close()
        server.closeAllConnections()
        await bits.close()
      })
      return (server.address() as AddressInfo).port
    },
    async connect({ port }) {
      const connection = await RawConnection.open(port)
      afterwards(() => connection.reset())
      return connection
    },
    async directory() {
      const { path, remove } = await temporaryDirectory()
      afterwards(remove)
      return path
    },
  }
}
