import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { bundledCommandLine, ROOT } from '../support/programs/path.js'

/** How to start the command line. */
export const NODE_ARGUMENTS = [bundledCommandLine()]

export interface CommandOptions {
  /** In addition to the environment of this process. */
  env?: Record<string, string>
  stdin?: string
  /** Default: Node and its arguments for the command line. */
  program?: string
  arguments?: readonly string[]
}

/** The command line, running in a process of its own. */
export class Command {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #exit: Promise<number>
  #ended = false
  #wake: () => void = () => {}

  constructor(words: readonly string[], options: CommandOptions = {}) {
    const { DEBUG: _, ...env } = process.env
    this.#child = spawn(
      options.program ?? process.execPath,
      [...(options.arguments ?? NODE_ARGUMENTS), ...words],
      {
        cwd: ROOT,
        env: { ...env, ...options.env },
        stdio: 'pipe',
      },
    )
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#wake()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#wake()
    })
    this.#exit = once(this.#child, 'close').then(([code]) => {
      this.#ended = true
      this.#wake()
      return Number(code ?? -1)
    })
    if (options.stdin !== undefined) this.#child.stdin?.end(options.stdin)
  }

  /** The exit code; -1 when a signal killed it. */
  get exit(): Promise<number> {
    return this.#exit
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Resolves with the match once it has been written. Rejects when the process exits without it. */
  async until(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[stream])
      if (match) return match
      if (this.#ended) throw new Error(`It ended without ${pattern}: ${this.stdout}\n${this.stderr}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** A process of `serve` that listens on a free port. */
export class Server extends Command {
  origin = ''
  port = 0

  static async start(
    directory: string,
    flags: readonly string[] = [],
    options?: CommandOptions,
  ): Promise<Server> {
    const server = new Server(['serve', directory, '--port', '0', ...flags], options)
    const [, origin = '', port] = await server.until(
      'stderr',
      /^Uploads to (https?:\/\/(?:127\.0\.0\.1|\[::1\]):(\d+))\//m,
    )
    server.origin = origin
    server.port = Number(port)
    return server
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.kill(signal)
    return this.exit
  }
}
