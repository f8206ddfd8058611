import { BitsError, type CompletedUpload } from 'express-bits-upload'
import { asError } from '../../../util/errors.js'
import { usageError } from '../../output.js'
import { printError } from '../../say.js'
import type { ServeFlags } from '../flags.js'
import { environmentFor } from './facts.js'
import { findProgram } from './find-program.js'
import { type ProgramResult, runProgram } from './run-program.js'
import { Slots } from './slots.js'

type ProgramFlags = Pick<
  ServeFlags,
  'onUpload' | 'onUploadArgument' | 'onUploadTimeout' | 'onUploadConcurrency'
>

/** Seconds. Windows waits five minutes for the Ack of a last fragment. */
const DEFAULT_PROGRAM_TIMEOUT = 240

/** Milliseconds to wait for other programs to finish, in addition to the timeout. */
const MAX_SLOT_WAIT = 30_000

const DEFAULT_CONCURRENCY = 4

/** Maximum bytes of a reply. */
const MAX_PROGRAM_REPLY = 1024 * 1024

/** EX_DATAERR of sysexits.h: the program refuses the file. */
const REFUSED = 65

/** The program of `--on-upload`, as the option `onUpload`. */
export interface OnUploadProgram {
  onUpload(upload: CompletedUpload): Promise<Buffer | undefined>
  /** Ends the running programs. Clients complete those uploads later. */
  close(): void
}

/**
 * @returns `undefined` when the flags name no program.
 * @throws CliError when the program cannot be run.
 */
export async function onUploadProgram(flags: ProgramFlags): Promise<OnUploadProgram | undefined> {
  const { onUpload: name, onUploadArgument: args = [], onUploadTimeout, onUploadConcurrency } = flags
  if (name === undefined) {
    if (args.length > 0 || (onUploadTimeout ?? onUploadConcurrency) !== undefined)
      throw usageError('--on-upload-argument, -timeout and -concurrency need --on-upload: use that, too.')
    return undefined
  }
  const file = await findProgram(name)
  const timeout = (onUploadTimeout ?? DEFAULT_PROGRAM_TIMEOUT) * 1000
  const slots = new Slots(onUploadConcurrency ?? DEFAULT_CONCURRENCY)
  const closing = new AbortController()

  async function run(upload: CompletedUpload): Promise<ProgramResult> {
    const stops = [closing.signal, upload.signal]
    await withProgramDeadline(MAX_SLOT_WAIT, 'Too many other programs are running.', stops, (signal) =>
      slots.enter(signal),
    )
    try {
      return await withProgramDeadline(timeout, 'The program took too long.', stops, (signal) =>
        runProgram({
          file,
          args: upload.path === undefined ? args : [...args, upload.path],
          env: environmentFor(upload, process.env),
          input: upload.path === undefined ? upload.read() : undefined,
          maxOutput: MAX_PROGRAM_REPLY,
          signal,
        }),
      )
    } finally {
      slots.leave()
    }
  }

  return {
    async onUpload(upload) {
      const result = await run(upload).catch((error: unknown) => {
        throw tryLater(`--on-upload: ${asError(error).message}`, error)
      })
      const { exitCode, signalName, stdout, stderr } = result
      if (stderr.length > 0) printError(`${name}: ${stderr.toString().trimEnd()}`)
      if (exitCode === REFUSED) throw new BitsError('access-denied', `--on-upload: ${name} refused the file.`)
      if (exitCode !== 0) throw tryLater(`--on-upload: ${name} ended with ${exitCode ?? signalName}.`)
      return stdout.length > 0 ? stdout : undefined
    },
    close: () => closing.abort(new Error('The server is stopping.')),
  }
}

/** Runs `work` with a signal that aborts after a time, and with any of `stops`. */
async function withProgramDeadline<T>(
  milliseconds: number,
  message: string,
  stops: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const stop = () => controller.abort(stops.find(({ aborted }) => aborted)?.reason)
  const timer = setTimeout(() => controller.abort(new Error(message)), milliseconds)
  for (const signal of stops) signal.addEventListener('abort', stop)
  if (stops.some(({ aborted }) => aborted)) stop()
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    for (const signal of stops) signal.removeEventListener('abort', stop)
  }
}

/** The client sends its last fragment again, and the program runs again. */
const tryLater = (message: string, cause?: unknown): BitsError =>
  new BitsError({ status: 503 }, message, { cause })
