import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { SendFile } from './send-file.js'
import type { Usage } from './servers/report-usage.js'

/** A server under measurement, in a process of its own. */
export interface Contender {
  readonly name: string
  readonly port: number
  /** How it receives a file. */
  readonly send: SendFile
  readonly directory: string
  usage(): Promise<Usage>
  stop(): Promise<void>
}

/** A contender that is not running yet. */
export interface Entry {
  readonly name: string
  /** Only its speed matters: there are no files to check. */
  readonly hasNoFiles?: boolean
  start(directory: string): Promise<Contender>
}

/** How to start the servers that run on Node. */
export interface Programs {
  readonly built: string
  /** The Node executable that runs them. */
  readonly node: string
}

/** A contender that runs on Node: `script` is one of the built servers, called with `args`. */
export const nodeEntry = (
  name: string,
  { built, node }: Programs,
  script: string,
  send: SendFile,
  args: (directory: string) => string[],
  env: Readonly<Record<string, string>> = {},
): Entry => ({
  name,
  async start(directory) {
    const child = fork(join(built, `${script}.mjs`), args(directory), {
      execPath: node,
      execArgv: nodeFlags(name),
      env: { ...process.env, ...env },
    })
    const port = numberIn(await answerOf(child), 'port')
    return {
      name,
      port,
      send,
      directory,
      async usage() {
        child.send('usage')
        const answer = await answerOf(child)
        return {
          cpu: numberIn(answer, 'cpu'),
          peak: numberIn(answer, 'peak'),
          longestTurn: numberIn(answer, 'longestTurn'),
        }
      },
      stop: () => end(child),
    }
  },
})

/** Stops a child process and waits until it has exited. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  // A server on Node exits when its channel closes, after it has written its profile.
  if (child.connected) child.disconnect()
  else child.kill('SIGTERM')
  await gone
}

/** `BENCH_PROFILE=<name>` writes CPU profiles of that contender into the working directory. */
const nodeFlags = (name: string): string[] =>
  process.env.BENCH_PROFILE === name ? ['--cpu-prof', '--cpu-prof-interval=250'] : []

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error(`${child.spawnargs.join(' ')} ended before its time.`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message)
    })
  })
}

function numberIn(answer: unknown, name: string): number {
  const value: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined
  if (typeof value !== 'number') throw new TypeError(`A server did not report ${name}.`)
  return value
}
