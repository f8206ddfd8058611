import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type {
  LockOptions,
  ReleaseLock,
  SessionChange,
  SessionRecord,
  SessionStore,
} from 'express-bits-upload'
import type { StoreCall } from '../fixtures/store-process.js'
import { bundleScript } from './bundle-script.js'

const SCRIPT = new URL('../fixtures/store-process.ts', import.meta.url)

/** Idle processes for the next stores. */
const idle: ChildProcess[] = []

type Call<T = StoreCall> = T extends StoreCall ? Omit<T, 'call'> : never

/** A shared `FileSessionStore` in a separate process, which can be suspended and killed. */
export class RemoteStore implements SessionStore {
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #pending = new Map<number, (answer: object) => void>()
  readonly #locks = new Map<number, LockOptions['onReleaseRequested']>()
  #calls = 0

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child
    this.#directory = directory
    child.on('message', (message: object) => {
      const lock = Number(Reflect.get(message, 'lock'))
      if ('reason' in message) return this.#locks.get(lock)?.(message.reason === 'lost' ? 'lost' : 'wanted')
      this.#pending.get(Number(Reflect.get(message, 'call')))?.(message)
    })
  }

  /** @param directory of the store. Starts a process, or reuses one from an earlier store. */
  static async start(directory: string): Promise<RemoteStore> {
    const child = idle.pop()
    if (child) return new RemoteStore(child, directory)
    const script = await bundleScript(SCRIPT, 'cjs')
    const started = spawn(process.execPath, ['-'], { stdio: ['pipe', 'inherit', 'inherit', 'ipc'] })
    started.stdin?.end(script)
    await once(started, 'message')
    return new RemoteStore(started, directory)
  }

  static async stopAll(): Promise<void> {
    await Promise.all(idle.splice(0).map(kill))
  }

  /** Suspends the process: nothing in it runs until {@link wake}. */
  suspend(): void {
    this.#child.kill('SIGSTOP')
  }

  wake(): void {
    this.#child.kill('SIGCONT')
  }

  /** Leaves the process to the next store. */
  leave(): void {
    this.wake()
    this.#child.removeAllListeners('message')
    idle.push(this.#child)
  }

  async open(): Promise<void> {
    await this.#call({ method: 'open', directory: this.#directory })
  }

  async create(record: SessionRecord): Promise<void> {
    await this.#call({ method: 'create', record })
  }

  async get(uploadId: string): Promise<SessionRecord | undefined> {
    return this.#record({ method: 'get', uploadId })
  }

  /** Not atomic, because `change` is evaluated here. */
  async update(
    uploadId: string,
    change: (current: SessionRecord) => SessionChange | undefined,
  ): Promise<SessionRecord | undefined> {
    const current = await this.get(uploadId)
    const changes = current && change(current)
    return changes && this.#record({ method: 'update', uploadId, change: changes })
  }

  async delete(uploadId: string): Promise<void> {
    await this.#call({ method: 'delete', uploadId })
  }

  async *list(): AsyncIterable<SessionRecord> {
    const records = await this.#call({ method: 'list' })
    if (Array.isArray(records)) yield* records.filter(isRecord)
  }

  async *expired(before: number): AsyncIterable<SessionRecord> {
    for await (const record of this.list()) if (record.lastActivity < before) yield record
  }

  async lock(
    key: string,
    { timeout, onReleaseRequested, signal }: LockOptions,
  ): Promise<ReleaseLock | undefined> {
    signal?.throwIfAborted()
    const lock = this.#calls
    this.#locks.set(lock, onReleaseRequested)
    const abort = () => void this.#call({ method: 'abort', lock })
    signal?.addEventListener('abort', abort, { once: true })
    const isHeld = await this.#call({ method: 'lock', key, timeout }).finally(() =>
      signal?.removeEventListener('abort', abort),
    )
    return isHeld === true
      ? async () => {
          await this.#call({ method: 'release', lock })
        }
      : undefined
  }

  async #record(call: Call): Promise<SessionRecord | undefined> {
    const result = await this.#call(call)
    return isRecord(result) ? result : undefined
  }

  async #call(call: Call): Promise<unknown> {
    const id = this.#calls++
    const answered = new Promise<object>((resolve) => this.#pending.set(id, resolve))
    this.#child.send({ ...call, call: id })
    const answer = await answered
    this.#pending.delete(id)
    const error: unknown = Reflect.get(answer, 'error')
    if (typeof error === 'object' && error !== null)
      throw Object.assign(new Error(String(Reflect.get(error, 'message'))), error)
    return Reflect.get(answer, 'result')
  }
}

const isRecord = (value: unknown): value is SessionRecord =>
  typeof value === 'object' && value !== null && 'uploadId' in value

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
