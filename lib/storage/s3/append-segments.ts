import { finished, type Readable } from 'node:stream'
import { asError } from '../../util/errors.js'
import { ChunkRelease } from '../../util/release-chunks.js'
import type { BodyHash, HashAlgorithm } from './body-hash.js'
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
   * @param hash of the bytes, if the algorithm is available.
   */
  readonly put: (bytes: Buffer, start: number, hash: BodyHash | undefined) => Promise<void>
  readonly hashAlgorithm: HashAlgorithm
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
  /** Chunks received but not yet gathered, and what is left of each. Not put back: Node 26.12 mixes up their order. */
  readonly #waiting: { readonly chunk: Buffer; rest: Buffer }[] = []
  #isWriting = false
  #stopWaiting: AbortController | undefined
  #isOver = false
  /** Whether bytes are missing: the client sends again those for which there is no memory. */
  #isCut = false
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
    this.#gathered = this.#newBuffer()
  }

  start(): void {
    this.#stopWatching = finished(this.#body, { writable: false }, (error) => this.#end(error != null))
    this.#signal.addEventListener('abort', this.#abort, { once: true })
    if (!this.#signal.aborted) this.#body.on('data', this.#take)
    else this.#isOver = true
    // Resumes the body as well, which a middleware may have paused.
    this.#proceed()
  }

  #newBuffer(): GrowingBuffer {
    const { segmentSize, budget, hashAlgorithm } = this.#context
    return new GrowingBuffer(segmentSize, budget, hashAlgorithm)
  }

  readonly #take = (chunk: Buffer): void => {
    this.#waiting.push({ chunk, rest: chunk })
    this.#proceed()
  }

  readonly #abort = (): void => this.#end(true)

  #end(isCut: boolean): void {
    this.#isOver = true
    this.#isCut ||= isCut
    this.#body.off('data', this.#take)
    if (isCut) this.#stopWaiting?.abort()
    this.#proceed()
  }

  /** Others wait for memory, and this upload has held its memory longest. */
  readonly #release = (): void => {
    this.#stopHolding = undefined
    if (!this.#isWriting) void this.#write()
  }

  #proceed(): void {
    if (this.#isSettled || this.#stopWaiting) return
    while (this.#gatherChunk()) {}
    if (this.#waiting.length > 0) {
      this.#body.pause()
      if (this.#isWriting) return
      if (this.#gathered.length > 0) return void this.#write()
      return void this.#waitForMemory()
    }
    if (!this.#isOver) {
      if (this.#mayRead) this.#body.resume()
      else this.#body.pause()
      return
    }
    if (this.#isWriting) return
    if (this.#gathered.length > 0) void this.#write()
    else this.#finish({ end: this.#start })
  }

  /** Returns false when there is no chunk, or no memory for one. */
  #gatherChunk(): boolean {
    const [first] = this.#waiting
    if (!first) return false
    if (first.rest.length > 0 && !this.#hasRoom()) return false
    first.rest = first.rest.subarray(this.#gathered.fill(first.rest))
    if (first.rest.length > 0) return true
    this.#waiting.shift()
    this.#memory.release([first.chunk])
    return true
  }

  /** Memory is taken when bytes arrive, so that a client that sends none holds none. */
  get #mayRead(): boolean {
    return !this.#isWriting || this.#gathered.hasRoom || !this.#context.budget.isContended
  }

  /** Takes memory if there is no room. Returns false when no memory is left. */
  #hasRoom(): boolean {
    const gathered = this.#gathered
    if (gathered.hasRoom) return true
    if (gathered.isFull || !gathered.tryGrow()) return false
    this.#hold()
    return true
  }

  #hold(): void {
    this.#stopHolding ??= this.#context.budget.holding(this.#release)
  }

  /** Holds no memory at this point, so that no two uploads can wait for each other. */
  async #waitForMemory(): Promise<void> {
    this.#stopWaiting = new AbortController()
    if (this.#isCut) this.#stopWaiting.abort()
    try {
      await this.#gathered.waitForMemory(this.#stopWaiting.signal)
      this.#hold()
    } catch {
      this.#waiting.length = 0
    }
    this.#stopWaiting = undefined
    this.#proceed()
  }

  async #write(): Promise<void> {
    const gathered = this.#gathered
    const start = this.#start
    this.#stopHolding?.()
    this.#stopHolding = undefined
    this.#gathered = this.#newBuffer()
    this.#start = start + gathered.length
    this.#isWriting = true
    // The next bytes arrive while these are sent.
    this.#proceed()
    try {
      await this.#context.put(gathered.bytes, start, gathered.takeHash())
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
    this.#signal.removeEventListener('abort', this.#abort)
    this.#stopWatching()
    this.#settle(outcome)
  }
}
