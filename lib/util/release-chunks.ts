import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
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
 * Does nothing if any other code may have seen a chunk: it may keep it.
 */
export class ChunkRelease {
  #release: Release | undefined

  /** Create it before listening to the body, with one listener. */
  constructor(body: Readable) {
    const release = releases.get(body)
    if (!release || !isUnseen(body)) return
    this.#release = release
    let listeners = 0
    body.on('newListener', (event) => {
      if (READING_EVENTS.includes(event) && ++listeners > 1) this.#release = undefined
    })
  }

  /** Empties chunks that were received. */
  release(chunks: readonly Buffer[]): void {
    this.#release?.(chunks)
  }
}

const READING_EVENTS: readonly unknown[] = ['data', 'readable']

/** Methods of a stream that see each chunk. Monitoring tools replace them to record bodies. */
const READING_METHODS = ['push', 'read', 'emit', 'pipe'] as const

/** Whether only a listener that is added later can see a chunk. Chunks that were read may be unshifted, but kept. */
function isUnseen(body: Readable): boolean {
  return (
    !body.readableDidRead &&
    body.listenerCount('data') + body.listenerCount('readable') === 0 &&
    READING_METHODS.every((name) => body[name] === Readable.prototype[name]) &&
    (body.on === Readable.prototype.on || isBoundByOpenTelemetry(body))
  )
}

/** OpenTelemetry replaces `on` of each request, but only to call the listener in another context. */
const isBoundByOpenTelemetry = (body: Readable): boolean =>
  Object.getOwnPropertySymbols(body).some(({ description }) => description === 'OtListeners')

function free(chunks: readonly Buffer[]): void {
  const memory = chunks.map(wholeBuffer).filter((buffer) => buffer !== undefined)
  try {
    if (closedPort) closedPort.postMessage(undefined, memory)
    else for (const each of memory) if (canTransfer(each)) each.transfer(0)
  } catch {
    // A buffer that cannot be detached. V8 frees it later; the upload must not fail.
  }
}

/** The memory of a chunk; `undefined` if it is shared with other chunks, or was freed. */
function wholeBuffer({ byteLength, buffer }: Buffer): ArrayBuffer | undefined {
  const isWhole = byteLength > 0 && byteLength === buffer.byteLength
  return isWhole && buffer instanceof ArrayBuffer ? buffer : undefined
}

interface TransferableBuffer {
  transfer(newLength: number): unknown
}

function canTransfer(buffer: ArrayBuffer): buffer is ArrayBuffer & TransferableBuffer {
  return 'transfer' in buffer
}

/**
 * Node 20 has no `transfer`. What is sent to a port that is closed on the other side is freed. Not created by the first
 * request, whose context (`AsyncLocalStorage`) it would keep.
 */
const closedPort = canTransfer(ArrayBuffer.prototype) ? undefined : newClosedPort()

function newClosedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port2.close()
  return port1
}
