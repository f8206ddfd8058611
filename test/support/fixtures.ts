import { afterEach } from '@jest/globals'
import type { BitsUploadOptions } from 'express-bits-upload'
import { RawConnection } from './raw.js'
import { type Running, type ServeOptions, serve, temporaryDirectory } from './serve.js'

export interface Fixtures {
  start(options: BitsUploadOptions, setup?: ServeOptions): Promise<Running>
  connect(to: { port: number }): Promise<RawConnection>
  /** Path of a new directory. */
  directory(): Promise<string>
  /** Calls `cleanup` after the test, the latest first. */
  afterwards(cleanup: () => unknown): void
}

/** Servers, connections and directories that end with the test they were made in. Call it once a test file. */
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
