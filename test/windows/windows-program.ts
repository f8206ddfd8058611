import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { NODE_EXE, WINE_ENVIRONMENT } from './wine.js'

/** Milliseconds. Wine starts a program within seconds, on a busy machine within many. */
const PATIENCE = 120_000

/**
 * A script that runs on the Windows build of Node. Under Wine, Node cannot write to the pipes of a native program, so
 * its output goes to files.
 */
export class WindowsProgram {
  readonly #child: ChildProcess
  readonly #output = mkdtempSync(join(tmpdir(), 'bits-wine-'))
  readonly #exit: Promise<number>
  #hasEnded = false

  /** @param options.stdin standard input of the program; default: empty. */
  constructor(
    script: string,
    args: readonly string[] = [],
    { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {},
  ) {
    writeFileSync(this.#path('stdin'), stdin)
    const input = openSync(this.#path('stdin'), 'r')
    const files = [this.#path('stdout'), this.#path('stderr')].map((path) => openSync(path, 'a'))
    this.#child = spawn('wine', [NODE_EXE, script, ...args], {
      env: { ...WINE_ENVIRONMENT, ...env },
      stdio: [input, ...files],
    })
    for (const file of [input, ...files]) closeSync(file)
    this.#exit = once(this.#child, 'exit').then(([code]) => {
      this.#hasEnded = true
      return Number(code ?? -1)
    })
  }

  get stdout(): string {
    return readFileSync(this.#path('stdout'), 'utf8')
  }

  get stderr(): string {
    return readFileSync(this.#path('stderr'), 'utf8')
  }

  /** The exit code; -1 when it was killed. */
  get exit(): Promise<number> {
    return this.#exit
  }

  /** Resolves with the match once it has been written. Rejects when the program exits without it. */
  async until(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + PATIENCE
    for (;;) {
      const ended = this.#hasEnded
      const match = pattern.exec(this[stream])
      if (match) return match
      if (ended || Date.now() > deadline) {
        throw new Error(`The program did not write ${pattern}: ${this.stdout}\n${this.stderr}`)
      }
      await delay(20)
    }
  }

  /** Ends it like the Task Manager of Windows, so that it cannot clean up. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL')
    await this.#exit
  }

  /** Ends it, and removes its output. */
  async dispose(): Promise<void> {
    await this.kill()
    rmSync(this.#output, { recursive: true, force: true })
  }

  #path(name: string): string {
    return join(this.#output, name)
  }
}
