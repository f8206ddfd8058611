import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { BitsUploadOptions } from 'express-bits-upload'
import type { FsRequest } from '../fixtures/fs-hooks.js'
import { bundleScript } from './bundle-script.js'

const FS_HOOKS = new URL('../fixtures/fs-hooks.ts', import.meta.url)
const SCRIPT = new URL('../fixtures/upload-server.ts', import.meta.url)

/** Figures of a server process: memory in bytes, after a garbage collection. */
export interface Figures {
  readonly heapUsed: number
  readonly rss: number
  readonly arrayBuffers: number
  readonly connections: number
  readonly sessions: number
  /** Unexpected errors in its log. */
  readonly errors: readonly string[]
}

/** Options of `bitsUpload()` that {@link ChildServer.start} can pass. */
export type ChildOptions = BitsUploadOptions & { readonly shared?: boolean }

/** An upload server in a separate process, with uploads at `/uploads`. */
export class ChildServer {
  readonly port: number
  readonly pid: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
    this.pid = child.pid ?? 0
  }

  /**
   * @param port 0 for a free one.
   * @param options further options of its `bitsUpload()`, which must be serializable as JSON. `shared`: its sessions
   * are kept in
   *   a store that several processes can share.
   * @param hasFsHooks let {@link requestFs} fail its file system calls.
   */
  static async start(
    directory: string,
    port = 0,
    { shared = false, ...options }: ChildOptions = {},
    hasFsHooks = false,
  ): Promise<ChildServer> {
    const script = await bundleScript(SCRIPT, 'cjs')
    const hooks = hasFsHooks ? ['--import', dataUrl(await bundleScript(FS_HOOKS, 'esm'))] : []
    const settings = JSON.stringify({ port, options: { directory, ...options }, shared })
    const child = spawn(process.execPath, ['--expose-gc', ...hooks, '-', settings], {
      stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    })
    child.stdin?.end(script)
    const [message] = await Promise.race([once(child, 'message'), rejectOnExit(child)])
    return new ChildServer(child, Number(Reflect.get(message, 'port')))
  }

  async figures(): Promise<Figures> {
    const answer = once(this.#child, 'message')
    this.#child.send('figures')
    const [figures] = await answer
    return figures
  }

  /** Makes a file system call of a process with hooks fail, or kills the process before a call. */
  requestFs(request: FsRequest): void {
    this.#child.send(request)
  }

  /** The result of the last request. */
  async reportFs(): Promise<{ readonly calls: number; readonly failed: boolean }> {
    const answer = once(this.#child, 'message')
    this.#child.send({ fs: 'report' })
    const [report] = await answer
    return report
  }

  /** Resolves when the process has exited. */
  async ended(): Promise<void> {
    if (this.#hasEnded) return
    await once(this.#child, 'exit')
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Current resident memory of the process in bytes. */
  async rss(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'latin1')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** Kills the process with SIGKILL, so that it cannot clean up. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}

const dataUrl = (module: Uint8Array): string =>
  `data:text/javascript;base64,${Buffer.from(module).toString('base64')}`

async function rejectOnExit(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, 'exit')
  throw new Error(`The server process ended with ${String(code ?? signal)} before it listened.`)
}
