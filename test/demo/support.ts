import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningServer, type ServerOptions, startServer } from '../../demo/server.js'

export interface RunningDemo extends RunningServer {
  /** Without the directories. */
  readonly server: RunningServer
  /** The upload directory. */
  readonly directory: string
  /** Writes a file directly, without an upload. */
  write(name: string, content: string | Buffer): Promise<string>
  /** Files from the form, and files that are being processed. */
  leftovers(): Promise<string[]>
}

/** The demo's app on a free port, with temporary directories, which `stop()` removes. */
export async function startDemo(options: Partial<ServerOptions> = {}): Promise<RunningDemo> {
  const root = await mkdtemp(join(tmpdir(), 'bits-demo-test-'))
  const directory = join(root, 'uploads')
  const silent = { info() {}, warn() {}, error: (message: string) => console.error(message) }
  const server = await startServer({ directory, host: '127.0.0.1', port: 0, logger: silent, ...options })
  return {
    ...server,
    server,
    directory,
    async write(name, content) {
      const path = join(root, name)
      await writeFile(path, content)
      return path
    },
    leftovers: () => readdir(join(directory, '.form-uploads')),
    async stop() {
      await server.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}
