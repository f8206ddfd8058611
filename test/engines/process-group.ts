import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { untilListening } from '../support/ports.js'

/** Programs that run in a directory of their own, and are stopped and removed together. */
export class ProcessGroup {
  readonly directory: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #running: ChildProcess[] = []
  #output = ''

  private constructor(directory: string, environment: NodeJS.ProcessEnv) {
    this.directory = directory
    this.#environment = { ...process.env, ...environment }
  }

  /** @param environment may depend on the directory. */
  static async create(
    name: string,
    environment: (directory: string) => NodeJS.ProcessEnv = () => ({}),
  ): Promise<ProcessGroup> {
    const directory = await mkdtemp(join(tmpdir(), `bits-${name}-`))
    return new ProcessGroup(directory, environment(directory))
  }

  /** Runs a program until it exits. */
  run(command: string, ...args: string[]): string {
    return execFileSync(command, args, {
      cwd: this.directory,
      env: this.#environment,
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 120_000,
    })
  }

  /** Starts a program that stays in the foreground, and waits until it listens. */
  async start(port: number | undefined, command: string, ...args: string[]): Promise<void> {
    const child = spawn(command, args, { cwd: this.directory, env: this.#environment, stdio: 'pipe' })
    const note = (chunk: Buffer) => {
      this.#output = `${this.#output}${chunk}`.slice(-10_000)
    }
    child.stdout.on('data', note)
    child.stderr.on('data', note)
    this.#running.push(child)
    if (port === undefined) return
    try {
      await untilListening(port, () => child.exitCode !== null)
    } catch (error) {
      throw new Error(`${command} ${args.join(' ')}: ${error}\n${this.#output}`)
    }
  }

  /** Stops all programs, the last one first, and removes the directory. */
  async stop(): Promise<void> {
    for (const child of this.#running.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const kill = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(kill)
    }
    await rm(this.directory, { recursive: true, force: true })
  }
}
