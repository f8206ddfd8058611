import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** Milliseconds that a program has to exit after SIGTERM. */
const TERM_GRACE = 2000

/** Milliseconds to wait for the rest of the output of a program that has ended: a child of its own may hold the pipe. */
const OUTPUT_GRACE = 1000

/** Bytes of standard error to keep. */
const MAX_STDERR = 8 * 1024

export interface ProgramRun {
  readonly file: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Standard input; `undefined` for an empty one. */
  readonly input: Readable | undefined
  /** Maximum bytes of standard output; a program that writes more is ended. */
  readonly maxOutput: number
  /** Ends the program, and the processes that it has started. */
  readonly signal: AbortSignal
}

export interface ProgramResult {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null
  readonly signalName: NodeJS.Signals | null
  readonly stdout: Buffer
  /** The beginning. */
  readonly stderr: Buffer
}

/**
 * Runs a program without a shell until it has ended.
 *
 * @throws the reason of the signal once the program has ended; an Error when it cannot be started, when its input cannot
 * be read, or when it writes more than `maxOutput`.
 */
export async function runProgram(run: ProgramRun): Promise<ProgramResult> {
  const { file, args, env, input, maxOutput, signal } = run
  signal.throwIfAborted()
  // A process group of its own, so that the processes that it starts end with it.
  const child = spawn(file, args, {
    env,
    stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  })
  const failure = new AbortController()
  const ending = AbortSignal.any([signal, failure.signal])
  const stop = () => terminate(child)
  const kill = () => killTree(child, 'SIGKILL')
  ending.addEventListener('abort', stop)
  process.on('exit', kill)
  try {
    const stdout = collectOutput(child.stdout, maxOutput, () =>
      failure.abort(new Error(`The program wrote more than ${maxOutput} bytes to its standard output.`)),
    )
    const stderr = collectOutput(child.stderr, MAX_STDERR, () => {})
    if (input) feed(child, input, (error) => failure.abort(error))
    const [exitCode, signalName] = await programEnd(child, () => {
      if (ending.aborted) kill()
    })
    ending.throwIfAborted()
    return { exitCode, signalName, stdout: stdout(), stderr: stderr() }
  } finally {
    process.off('exit', kill)
    ending.removeEventListener('abort', stop)
    input?.destroy()
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}

/**
 * Waits until a program has ended and its output has been read.
 *
 * @param onExit called before the rest of the output is read.
 * @throws Error when it cannot be started.
 */
async function programEnd(
  child: ChildProcess,
  onExit: () => void,
): Promise<[number | null, NodeJS.Signals | null]> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const [exitCode, signalName]: unknown[] = await once(child, 'exit')
  onExit()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, OUTPUT_GRACE)
  })
  await Promise.race([closed, late])
  clearTimeout(timer)
  return [typeof exitCode === 'number' ? exitCode : null, isSignal(signalName) ? signalName : null]
}

const isSignal = (name: unknown): name is NodeJS.Signals => typeof name === 'string'

/** Keeps the first `limit` bytes of a stream, which is read to its end. */
function collectOutput(stream: Readable | null, limit: number, onExcess: () => void): () => Buffer {
  const chunks: Buffer[] = []
  let size = 0
  stream?.on('error', () => {})
  stream?.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, limit - size)
    if (kept.length > 0) chunks.push(kept)
    size += kept.length
    if (kept.length < chunk.length) onExcess()
  })
  return () => Buffer.concat(chunks)
}

/** A program may exit before it has read everything, but must not mistake a part for the whole. */
function feed(child: ChildProcess, input: Readable, onFailure: (error: Error) => void): void {
  const { stdin } = child
  if (!stdin) return
  input.on('error', onFailure)
  stdin.on('error', () => input.destroy())
  input.pipe(stdin)
}

function terminate(child: ChildProcess): void {
  killTree(child, 'SIGTERM')
  const timer = setTimeout(() => killTree(child, 'SIGKILL'), TERM_GRACE)
  child.once('exit', () => clearTimeout(timer))
}

/** Ends a program and all processes of its group. */
function killTree({ pid }: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(pid), '/t', '/f'], { windowsHide: true, stdio: 'ignore' })
    return
  }
  try {
    process.kill(-pid, signal)
  } catch {
    // All of them have ended.
  }
}
