import { createCipheriv, createHash } from 'node:crypto'
import { FleetClient, type FleetUpload } from './fleet-client.js'

const KIB = 1024
const MIB = 1024 * KIB

/** The smallest and the largest fragments of Windows. */
const [SMALLEST_FRAGMENT, LARGEST_FRAGMENT] = [5 * KIB, 13 * MIB]
/** Smaller fragments take more time without testing anything else. */
const MOST_FRAGMENTS = 60

export interface LoadOptions {
  readonly port: number
  readonly clients: number
  /** Minimum number of uploads. */
  readonly count: number
  /** Size of the largest file in bytes. */
  readonly maxSize: number
  /** Initial response timeout of a client in milliseconds. */
  readonly firstWait: number
  /** Tells whether all planned disturbances have happened; until then, clients continue to upload. */
  readonly isEnough: () => boolean
}

/** Clients that upload one file after another through a fleet. */
export class FleetLoad {
  readonly digests = new Map<string, string>()
  bytes = 0
  retries = 0
  #started = 0
  readonly #options: LoadOptions
  readonly #stop = new AbortController()
  readonly done: Promise<void>
  isDone = false

  constructor(options: LoadOptions) {
    this.#options = options
    const clients = Array.from({ length: options.clients }, () => this.#runClient())
    this.done = Promise.all(clients).then(() => {})
    this.done
      .catch((error) => this.#stop.abort(error))
      .finally(() => {
        this.isDone = true
      })
  }

  stop(): void {
    this.#stop.abort(new Error('The test has ended.'))
  }

  async #runClient(): Promise<void> {
    const { port, firstWait, count, isEnough } = this.#options
    const client = new FleetClient(port, firstWait, this.#stop.signal)
    while (this.#started < count || !isEnough()) {
      const upload = this.#upload(this.#started++)
      await client.upload(upload)
      this.digests.set(upload.name, digestOf(upload.file))
      this.bytes += upload.file.length
    }
    this.retries += client.retries
  }

  /** Sizes are distributed evenly over the orders of magnitude. The first files cover the extremes. */
  #upload(n: number): FleetUpload {
    const { maxSize } = this.#options
    const size = [0, 1, maxSize][n] ?? Math.floor(between(1, maxSize))
    const smallest = Math.max(SMALLEST_FRAGMENT, size / MOST_FRAGMENTS)
    const fragmentSize = Math.floor(between(smallest, Math.max(smallest, LARGEST_FRAGMENT)))
    return { name: `files/${n}.bin`, file: contentOf(n, size), fragmentSize }
  }
}

const between = (least: number, most: number): number => least * (most / least) ** Math.random()

/** Bytes without a pattern, different in each file. */
function contentOf(n: number, size: number): Buffer {
  const key = Buffer.alloc(16)
  key.writeUInt32BE(n)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
