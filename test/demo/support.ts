import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type RunningServer, type ServerOptions, startServer } from '../../demo/server.js'

export interface RunningDemo extends RunningServer {
  /** Without the directories. */
  readonly server: RunningServer
  /** The upload directory. */
  readonly directory: string
  /** Writes a file directly, without an upload. */
  write(name: string, content: string | Buffer): Promise<string>
  /** Files from the form, and files that are being processed. */
  /** Names of the files that the form has received and neither published nor removed. */
  leftovers(): Promise<string[]>
  /** Waits until there are none: the demo may respond before it removes the file. */
  nothingLeft(): Promise<void>
}

/** The demo's app on a free port, with temporary directories, which `stop()` removes. */
export async function startDemo(options: Partial<ServerOptions> = {}): Promise<RunningDemo> {
  const root = await mkdtemp(join(tmpdir(), 'bits-demo-test-'))
  const directory = join(root, 'uploads')
  const silent = { info() {}, warn() {}, error: (message: string) => console.error(message) }
  const leftovers = () => readdir(join(directory, '.form-uploads'))
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
    leftovers,
    async nothingLeft() {
      while ((await leftovers()).length > 0) await delay(20)
    },
    async stop() {
      await server.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}
