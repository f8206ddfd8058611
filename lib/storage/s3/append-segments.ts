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
  /** Stores a segment that begins at `start`. Resolves when it would survive the death of this process. */
  readonly put: (bytes: Buffer, start: number) => Promise<void>
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
  /** Chunks received but not yet gathered. */
  #chunks: Buffer[] = []
  #isWriting = false
  #isWaiting = false
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
    this.#chunks.push(chunk)
    this.#proceed()
  }

  readonly #end = (): void => {
    this.#isOver = true
    this.#body.off('data', this.#take)
    this.#proceed()
  }

  /** Others wait for memory, and this upload has held its memory longest. */
  readonly #release = (): void => {
    this.#stopHolding = undefined
    if (!this.#isWriting) void this.#write()
  }

  #proceed(): void {
    if (this.#isSettled || this.#isWaiting) return
    while (this.#gatherChunk()) {}
    if (this.#chunks.length > 0) {
      this.#body.pause()
      if (this.#isWriting) return
      if (this.#gathered.length > 0) return void this.#write()
      return void this.#waitForMemory()
    }
    if (!this.#isOver) return void this.#body.resume()
    if (this.#isWriting) return
    if (this.#gathered.length > 0) void this.#write()
    else this.#finish({ end: this.#start })
  }

  /** Returns false when there is no chunk, or no memory for one. */
  #gatherChunk(): boolean {
    const [chunk] = this.#chunks
    if (!chunk) return false
    const gathered = this.#gathered
    if (chunk.length > 0 && !gathered.hasRoom && !this.#grow()) return false
    const rest = chunk.subarray(gathered.fill(chunk))
    if (rest.length > 0) this.#chunks[0] = rest
    else {
      this.#chunks.shift()
      this.#memory.release([chunk])
    }
    return true
  }

  #grow(): boolean {
    const gathered = this.#gathered
    if (gathered.isFull || !gathered.tryGrow()) return false
    this.#hold()
    return true
  }

  #hold(): void {
    this.#stopHolding ??= this.#context.budget.holding(this.#release)
  }

  /** Holds no memory at this point, so that no two uploads can wait for each other. */
  async #waitForMemory(): Promise<void> {
    this.#isWaiting = true
    try {
      await this.#gathered.waitForMemory(this.#signal)
      this.#isWaiting = false
      this.#hold()
    } catch {
      // The signal aborted: the client sends the bytes without memory again.
      this.#isWaiting = false
      this.#chunks = []
    }
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
      await this.#context.put(gathered.bytes, start)
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
