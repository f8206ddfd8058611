import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'

/** Leaves a processor to the main thread. Each worker takes about 10 MB. */
const DEFAULT_SIZE = Math.max(1, Math.min(4, availableParallelism() - 1))

interface Task {
  readonly resolve: (matches: boolean) => void
  readonly reject: (error: Error) => void
}

/** Threads that compare passwords with hashes, so that the main thread keeps serving. */
export class PasswordWorkers {
  /** How many comparisons run at a time. */
  readonly size: number
  readonly #start: () => Worker
  readonly #idle: Worker[] = []
  readonly #tasks = new Map<Worker, Task>()
  #closed = false

  private constructor(size: number, start: () => Worker) {
    this.size = size
    this.#start = start
    for (let n = 0; n < size; n++) this.#idle.push(this.#startOne())
  }

  static async start(size = DEFAULT_SIZE): Promise<PasswordWorkers> {
    const { startPasswordWorker } = await import('./password-worker.js')
    return new PasswordWorkers(size, startPasswordWorker)
  }

  /**
   * Whether `hash` is the hash of `password`.
   *
   * @throws Error when more than {@link size} comparisons are asked for at a time, or the thread ends meanwhile.
   */
  matches(hash: string, password: string): Promise<boolean> {
    const worker = this.#idle.pop()
    if (!worker) return Promise.reject(new Error('All password workers are busy.'))
    return new Promise((resolve, reject) => {
      this.#tasks.set(worker, { resolve, reject })
      worker.ref()
      worker.postMessage({ hash, password })
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const workers = [...this.#idle.splice(0), ...this.#tasks.keys()]
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  #startOne(): Worker {
    const worker = this.#start()
    worker.on('message', (matches: unknown) => {
      const task = this.#tasks.get(worker)
      this.#tasks.delete(worker)
      worker.unref()
      this.#idle.push(worker)
      task?.resolve(matches === true)
    })
    // A thread that fails ends, and `exit` follows.
    let failure: Error | undefined
    worker.on('error', (error: Error) => {
      failure = error
    })
    worker.on('exit', () => this.#replace(worker, failure))
    return worker
  }

  #replace(worker: Worker, failure: Error | undefined): void {
    const task = this.#tasks.get(worker)
    this.#tasks.delete(worker)
    const index = this.#idle.indexOf(worker)
    if (index >= 0) this.#idle.splice(index, 1)
    // A worker that ends while idle could not even start; its replacement would do the same, endlessly.
    if (!this.#closed && task) this.#idle.push(this.#startOne())
    task?.reject(failure ?? new Error('A password worker ended.'))
  }
}
