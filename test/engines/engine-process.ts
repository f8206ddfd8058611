import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { errorCode } from '../../lib/util/errors.js'
import { untilListening } from '../support/ports.js'

export interface EngineCommand {
  readonly port: number
  readonly command: string
  readonly args: readonly string[]
  /** In addition to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** User to run it as, for programs that refuse to run as root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

/** A server program that can be suspended, killed, and restarted on its port. */
export class EngineProcess {
  readonly port: number
  readonly #command: EngineCommand
  #child: ChildProcess | undefined
  #output = ''

  constructor(command: EngineCommand) {
    this.port = command.port
    this.#command = command
  }

  /** Resolves once it listens. */
  async start(): Promise<void> {
    const { command, args, env = {}, user = {}, port } = this.#command
    const child = spawn(command, args, {
      ...user,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output = `${this.#output}${chunk}`.slice(-10_000)
      })
    }
    try {
      await untilListening(port, () => child.exitCode !== null)
    } catch (error) {
      throw new Error(`${command} ${args.join(' ')}: ${error}\n${this.#output}`)
    }
  }

  /** Its connections stay open, and it responds to nothing until {@link resume}. */
  suspend(): void {
    this.#signalAll('SIGSTOP')
  }

  resume(): void {
    this.#signalAll('SIGCONT')
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    this.resume()
    child.kill(signal)
    await ended
  }

  /** Includes its children: PostgreSQL has one for each connection. */
  #signalAll(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined || this.#child?.exitCode !== null || this.#child.signalCode !== null) return
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    for (const each of [`${pid}`, ...children]) if (each !== '') sendSignal(Number(each), signal)
  }
}

/** A child may have exited since it was listed. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}
