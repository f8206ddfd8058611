import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { SendFile } from './send-file.js'
import type { Usage } from './servers/report-usage.js'

/** A server that is measured, in a process of its own. */
export interface Contender {
  readonly name: string
  readonly port: number
  /** How it takes a file. */
  readonly send: SendFile
  /** Where it puts the files. */
  readonly directory: string
  usage(): Promise<Usage>
  stop(): Promise<void>
}

/** What a contender is before it runs. */
export interface Entry {
  readonly name: string
  /** It is only there for its speed: there are no files to check. */
  readonly keepsNothing?: boolean
  start(directory: string): Promise<Contender>
}

/** How the servers on Node are started. */
export interface Programs {
  /** Directory of the built servers. */
  readonly built: string
  /** The Node that runs them. */
  readonly node: string
}

/** A contender that runs on Node: `script` of the built servers, given `args`. */
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

/** Ends a process that was started here, and waits until it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  // A server on Node leaves at the end of its channel, with its profile written.
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
  if (typeof value !== 'number') throw new TypeError(`A server told no ${name}.`)
  return value
}
