import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { property } from './property.js'

type Release = (chunks: readonly Buffer[]) => void

/** Bodies that may be released, each with the function that does it. */
const releases = new WeakMap<Readable, Release>()

/**
 * Allows the reader of a request to release its chunks. Has no effect on a request that Node's parser did not read:
 * the chunks of others (test tools, serverless adapters) may belong to somebody.
 */
export function allowReleaseOf(req: IncomingMessage): void {
  if (property(property(req.socket, 'parser'), 'incoming') === req) releases.set(req, free)
}

/** Allows the reader of `body` to release chunks that were made from those of a request. */
export function allowRelease(body: Readable, release: Release): void {
  releases.set(body, release)
}

/**
 * Frees the memory of received chunks as soon as they are stored. Otherwise, their bytes count towards the limits of
 * V8's heap until the next collection, and a server that has run for a while marks its entire heap every few MiB.
 *
 * Does nothing if anyone else listens to the body: they may keep the chunks. Create it before listening to the body.
 */
export class ChunkRelease {
  readonly #body: Readable
  #release: Release | undefined

  constructor(body: Readable) {
    this.#body = body
    if (readersOf(body) === 0) this.#release = releases.get(body)
  }

  /** Call it for each chunk, in the only listener. */
  received(): void {
    if (this.#release && readersOf(this.#body) !== 1) this.#release = undefined
  }

  /** Empties chunks that were received. */
  release(chunks: readonly Buffer[]): void {
    this.#release?.(chunks)
  }
}

const readersOf = (body: Readable): number => body.listenerCount('data') + body.listenerCount('readable')

function free(chunks: readonly Buffer[]): void {
  const memory = chunks.map(wholeBuffer).filter((buffer) => buffer !== undefined)
  if (memory.every(canTransfer)) for (const each of memory) each.transfer(0)
  else {
    closedPort ??= newClosedPort()
    closedPort.postMessage(undefined, memory)
  }
}

/** The memory of a chunk; `undefined` if it is shared with other chunks. */
function wholeBuffer({ byteOffset, byteLength, buffer }: Buffer): ArrayBuffer | undefined {
  const isWhole = byteOffset === 0 && byteLength === buffer.byteLength
  return isWhole && buffer instanceof ArrayBuffer ? buffer : undefined
}

interface TransferableBuffer {
  transfer(newLength: number): unknown
}

const canTransfer = (buffer: ArrayBuffer): buffer is ArrayBuffer & TransferableBuffer => 'transfer' in buffer

/** Node 20 has no `transfer`. What is sent to a port that is closed on the other side is freed. */
let closedPort: MessagePort | undefined

function newClosedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port2.close()
  return port1
}
