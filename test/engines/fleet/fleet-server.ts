import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface ServerCommand {
  readonly host: string
  readonly port: number
  /** Arguments of Node. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** Milliseconds after which a process that has exited is restarted, as systemd or Docker do. */
const RESTART_DELAY = 200
const LAST_OUTPUT = 4000

/** A server process that is restarted whenever it exits. */
export class FleetServer {
  readonly #command: ServerCommand
  #child: ChildProcess | undefined
  #isWanted = true
  #hasStarted = false
  #supervision: Promise<void> = Promise.resolve()
  /** Duration of the last start in milliseconds, until the server listened. */
  startUpTime = 0
  /** The end of its output on standard error. */
  output = ''

  constructor(command: ServerCommand) {
    this.#command = command
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    this.#supervision = this.#supervise()
    await this.untilListening()
    this.#hasStarted = true
  }

  /** Kills the process with SIGKILL. Resolves when its replacement listens. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    const killedAt = performance.now()
    await this.untilListening()
    this.startUpTime = performance.now() - killedAt
  }

  /** Its connections stay open, and it does nothing until {@link resume}. */
  suspend(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async stop(): Promise<void> {
    this.#isWanted = false
    this.#child?.kill('SIGKILL')
    await this.#supervision
  }

  async untilListening(): Promise<void> {
    const { host, port } = this.#command
    const deadline = Date.now() + 180_000
    while (!(await accepts(host, port))) {
      if (!this.#isWanted || Date.now() > deadline) throw new Error(`${host} does not listen: ${this.output}`)
      await delay(25)
    }
  }

  async #supervise(): Promise<void> {
    while (this.#isWanted) {
      const { args, env } = this.#command
      const child = spawn(process.execPath, args, {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      this.#child = child
      child.stderr.on('data', (text: Buffer) => {
        this.output = (this.output + text).slice(-LAST_OUTPUT)
      })
      await once(child, 'exit')
      // If it never started, the test is at fault rather than the fleet.
      if (!this.#hasStarted) this.#isWanted = false
      await delay(RESTART_DELAY)
    }
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
