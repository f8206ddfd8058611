import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { matchesHash } from './password-hash.js'

/** Marks the workers that this module starts: it must do nothing in any other thread that imports it. */
const ROLE = 'express-bits-upload password worker'

export interface PasswordQuestion {
  readonly hash: string
  readonly password: string
}

/**
 * Starts a thread that answers each {@link PasswordQuestion} with a boolean, in order. The thread runs this module, so
 * import it dynamically: the build then gives it a file of its own.
 */
export function startPasswordWorker(): Worker {
  const isSource = import.meta.url.endsWith('.ts')
  const worker = new Worker(new URL(import.meta.url), {
    workerData: ROLE,
    ...(isSource && { execArgv: ['--import', typeScriptLoader()] }),
  })
  worker.unref()
  return worker
}

/**
 * A thread does not inherit the loader that runs TypeScript in its parent, in tests for example. The build needs none.
 */
function typeScriptLoader(): string {
  const api = import.meta.resolve('tsx/esm/api')
  return `data:text/javascript,import{register}from${encodeURIComponent(JSON.stringify(api))};register()`
}

if (!isMainThread && workerData === ROLE) {
  const port = parentPort
  port?.on('message', ({ hash, password }: PasswordQuestion) => {
    port.postMessage(matchesHash(hash, password))
  })
}
