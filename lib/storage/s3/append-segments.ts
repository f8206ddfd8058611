import { finished, type Readable } from 'node:stream'
import { asError } from '../../util/errors.js'
import { ChunkRelease } from '../../util/release-chunks.js'
import type { BufferBudget } from './buffer-budget.js'
import { GrowingBuffer } from './growing-buffer.js'

/** Dependencies of an append. */
export interface AppendContext {
  readonly budget: BufferBudget
  /** Bytes of the largest segment. */
  readonly segmentSize: number
  /**
   * Stores a segment that begins at `start`. Resolves when it would survive the death of this process.
   *
   * @param md5 of the bytes in base64, if there is one.
   */
  readonly put: (bytes: Buffer, start: number, md5: string | undefined) => Promise<void>
}

/**
 * Stores a stream as segments, one after the other: the next is gathered while one is written, if there is memory for
 * both. When `segmentSize` is reached, the memory is used up, others wait for it, or the stream ends for whatever reason
 * (or `signal` aborts), what was gathered is written.
 *
 * @returns the end of the last segment. Rejects when one cannot be written; the stream is left paused then.
 */
export function appendSegments(
  context: AppendContext,
  offset: number,
  body: Readable,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const append = new SegmentAppend(context, offset, body, signal, (outcome) => {
      if ('error' in outcome) reject(outcome.error)
      else resolve(outcome.end)
    })
    append.start()
  })
}

type AppendOutcome = { readonly end: number } | { readonly error: Error }

class SegmentAppend {
  readonly #context: AppendContext
  readonly #body: Readable
  readonly #signal: AbortSignal
  readonly #settle: (outcome: AppendOutcome) => void
  readonly #memory: ChunkRelease
  #gathered: GrowingBuffer
  /** Offset of the first gathered byte. */
  #start: number
  /** A chunk for which there was not enough memory. The rest of it is back in the body. */
  #split: Buffer | undefined
  #isWriting = false
  #stopWaiting: AbortController | undefined
  #isOver = false
  #isSettled = false
  #stopHolding: (() => void) | undefined
  #stopWatching: () => void = () => {}

  constructor(
    context: AppendContext,
    offset: number,
    body: Readable,
    signal: AbortSignal,
    settle: (outcome: AppendOutcome) => void,
  ) {
    this.#context = context
    this.#start = offset
    this.#body = body
    this.#signal = signal
    this.#settle = settle
    this.#memory = new ChunkRelease(body)
    this.#gathered = new GrowingBuffer(context.segmentSize, context.budget)
  }

  start(): void {
    this.#stopWatching = finished(this.#body, { writable: false }, this.#end)
    this.#signal.addEventListener('abort', this.#end, { once: true })
    if (!this.#signal.aborted) this.#body.on('data', this.#take)
    else this.#isOver = true
    // Resumes the body as well, which a middleware may have paused.
    this.#proceed()
  }

  readonly #take = (chunk: Buffer): void => {
    let rest = chunk
    while (rest.length > 0 && this.#hasRoom()) rest = rest.subarray(this.#gathered.fill(rest))
    if (this.#gathered.length > 0) this.#hold()
    const whole = this.#split?.buffer === chunk.buffer ? this.#split : chunk
    this.#split = undefined
    if (rest.length === 0) {
      this.#memory.release([whole])
    } else {
      this.#split = whole
      // Back in the body, it keeps Node from receiving the next chunk.
      this.#body.pause()
      this.#body.unshift(rest)
    }
    this.#proceed()
  }

  readonly #end = (): void => {
    this.#isOver = true
    this.#body.off('data', this.#take)
    this.#stopWaiting?.abort()
    this.#proceed()
  }

  /** Others wait for memory, and this upload has held its memory longest. */
  readonly #release = (): void => {
    this.#stopHolding = undefined
    if (!this.#isWriting) void this.#write()
  }

  #proceed(): void {
    if (this.#isSettled || this.#stopWaiting) return
    if (this.#isOver) {
      if (this.#isWriting) return
      if (this.#gathered.length > 0) void this.#write()
      else this.#finish({ end: this.#start })
    } else if (this.#split ? this.#hasRoom() : this.#mayRead) {
      this.#body.resume()
    } else {
      this.#body.pause()
      if (this.#isWriting) return
      if (this.#gathered.length > 0) void this.#write()
      else void this.#waitForMemory()
    }
  }

  /** Memory is taken when bytes arrive, so that a client that sends none holds none. */
  get #mayRead(): boolean {
    return !this.#isWriting || this.#gathered.hasRoom || !this.#context.budget.isContended
  }

  /** Takes memory if there is no room. Returns false when there is none. */
  #hasRoom(): boolean {
    const gathered = this.#gathered
    return gathered.hasRoom || (!gathered.isFull && gathered.tryGrow())
  }

  #hold(): void {
    this.#stopHolding ??= this.#context.budget.holding(this.#release)
  }

  /** Holds no memory at this point, so that no two uploads can wait for each other. */
  async #waitForMemory(): Promise<void> {
    this.#stopWaiting = new AbortController()
    try {
      await this.#gathered.waitForMemory(this.#stopWaiting.signal)
    } catch {
      // The upload is over: the client sends the bytes without memory again.
    }
    this.#stopWaiting = undefined
    this.#proceed()
  }

  async #write(): Promise<void> {
    const gathered = this.#gathered
    const start = this.#start
    this.#stopHolding?.()
    this.#stopHolding = undefined
    this.#gathered = new GrowingBuffer(this.#context.segmentSize, this.#context.budget)
    this.#start = start + gathered.length
    this.#isWriting = true
    // The next bytes arrive while these are sent.
    this.#proceed()
    try {
      await this.#context.put(gathered.bytes, start, gathered.takeMd5())
    } catch (error) {
      this.#isWriting = false
      gathered.abandon()
      return this.#finish({ error: asError(error) })
    }
    this.#isWriting = false
    gathered.release()
    if (this.#gathered.length > 0 && this.#context.budget.isContended) return void this.#write()
    if (this.#gathered.length > 0) this.#hold()
    this.#proceed()
  }

  #finish(outcome: AppendOutcome): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#isOver = true
    this.#stopHolding?.()
    this.#gathered.release()
    this.#body.off('data', this.#take)
    this.#body.pause()
    this.#signal.removeEventListener('abort', this.#end)
    this.#stopWatching()
    this.#settle(outcome)
  }
}
