import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { transform } from 'esbuild'
import { freePort, untilListening } from '../support/ports.js'
import { bundledPackage } from '../support/programs/path.js'
import { temporaryDirectory } from '../support/serve.js'
import type { Block } from './blocks.js'

export const ROOT = join(import.meta.dirname, '../..')

/**
 * A project in which blocks are written and run, with the package in its `node_modules`. All other packages come from
 * this repository. The caller has to close it.
 */
export class TempProject {
  /** Inside the repository, so that blocks find their packages. */
  readonly source: string
  /** Working directory of the blocks: their `./uploads` is in it. */
  readonly cwd: string
  readonly #removeCwd: () => Promise<void>
  readonly #children = new Set<ChildProcess>()

  private constructor(source: string, cwd: string, removeCwd: () => Promise<void>) {
    this.source = source
    this.cwd = cwd
    this.#removeCwd = removeCwd
  }

  static async open(): Promise<TempProject> {
    const source = await mkdtemp(join(import.meta.dirname, '.blocks-'))
    await writeFile(join(source, 'package.json'), '{ "type": "module" }')
    await mkdir(join(source, 'node_modules'))
    await symlink(bundledPackage(), join(source, 'node_modules/express-bits-upload'), 'junction')
    const cwd = await temporaryDirectory()
    return new TempProject(source, cwd.path, () => cwd.remove())
  }

  /** Writes a block unchanged to the file named in its first line, otherwise to `main`. @returns its path. */
  async write({ text, language }: Pick<Block, 'text' | 'language'>): Promise<string> {
    const name = /^\/\/ (\S+\.[jt]s)$/m.exec(text.split('\n')[0] ?? '')?.[1] ?? `main.${language}`
    const path = join(this.source, name)
    await writeFile(path, text)
    return path
  }

  /** Runs a block that starts a server. */
  async serve(
    block: Pick<Block, 'text' | 'language'>,
    env: Record<string, string> = {},
  ): Promise<BlockServer> {
    const port = await freePort()
    const child = await this.#start(block, { ...env, PORT: String(port) })
    try {
      await untilListening(port, () => child.process.exitCode !== null)
    } catch (error) {
      throw new Error(`${child.stdout.join('')}${child.stderr.join('')}`, { cause: error })
    }
    return new BlockServer(port, child)
  }

  /** Runs a block until it exits. */
  async run(block: Pick<Block, 'text' | 'language'>): Promise<Finished> {
    const child = await this.#start(block, {})
    const [code] = await once(child.process, 'close')
    return { code, stdout: child.stdout.join(''), stderr: child.stderr.join('') }
  }

  async close(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL')
    await rm(this.source, { recursive: true, force: true })
    await this.#removeCwd()
  }

  async #start(block: Pick<Block, 'text' | 'language'>, env: Record<string, string>): Promise<Output> {
    const path = await this.write(block)
    await this.#compile()
    const process_ = spawn(process.execPath, [path.replace(/\.ts$/, '.js')], {
      cwd: this.cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.add(process_)
    const output: Output = { process: process_, stdout: [], stderr: [] }
    process_.stdout.on('data', (text) => output.stdout.push(String(text)))
    process_.stderr.on('data', (text) => output.stderr.push(String(text)))
    return output
  }

  /** Compiles all TypeScript blocks, because Node 20 cannot run them directly. */
  async #compile(): Promise<void> {
    for (const name of await readdir(this.source)) {
      if (!name.endsWith('.ts')) continue
      const path = join(this.source, name)
      const { code } = await transform(await readFile(path, 'utf8'), { loader: 'ts', target: 'node20' })
      await writeFile(path.replace(/\.ts$/, '.js'), code)
    }
  }
}

interface Output {
  readonly process: ChildProcess
  readonly stdout: string[]
  readonly stderr: string[]
}

interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class BlockServer {
  readonly port: number
  readonly origin: string
  readonly #child: Output

  constructor(port: number, child: Output) {
    this.port = port
    this.origin = `http://127.0.0.1:${port}`
    this.#child = child
  }

  get stdout(): string {
    return this.#child.stdout.join('')
  }

  get stderr(): string {
    return this.#child.stderr.join('')
  }

  /** @returns the exit code, or the signal. */
  async stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    const end = once(this.#child.process, 'exit')
    this.#child.process.kill(signal)
    const [code, by] = await end
    return code ?? by
  }
}
