import { createHash } from 'node:crypto'
import { Fault } from './fault.js'
import type { Condition, Rules } from './rules.js'

/** An object, or the future object of a multipart upload. */
export interface StoredObject {
  readonly bytes: Buffer
  readonly etag: string
  readonly lastModified: Date
  /** `content-type`, `x-amz-meta-*` and similar headers. */
  readonly headers: Readonly<Record<string, string>>
}

const digests = new WeakMap<Buffer, Buffer>()

/** Parts and objects are hashed once, however often their ETag is needed: nothing changes their bytes. */
export function md5Of(bytes: Buffer): Buffer {
  let digest = digests.get(bytes)
  if (!digest) {
    digest = createHash('md5').update(bytes).digest()
    digests.set(bytes, digest)
  }
  return digest
}

export const etagOf = (bytes: Buffer): string => `"${md5Of(bytes).toString('hex')}"`

interface Listed {
  readonly lastModified: Date
  /** Number of listings before the entry appears or disappears. */
  lag: number
  gone: boolean
}

/** The objects of a bucket, and how listings show them. */
export class Objects {
  readonly #objects = new Map<string, StoredObject>()
  readonly #listed = new Map<string, Listed>()
  readonly #rules: Rules

  constructor(rules: Rules) {
    this.#rules = rules
  }

  get keys(): string[] {
    return [...this.#objects.keys()].sort()
  }

  find(key: string): StoredObject | undefined {
    return this.#objects.get(key)
  }

  get(key: string): StoredObject {
    const object = this.#objects.get(key)
    if (!object) throw new Fault(404, 'NoSuchKey')
    return object
  }

  put(key: string, bytes: Buffer, headers: Record<string, string>, etag = etagOf(bytes)): StoredObject {
    if (Buffer.byteLength(key) > 1024) throw new Fault(400, 'KeyTooLongError')
    const object = { bytes, headers, etag, lastModified: new Date() }
    this.#objects.set(key, object)
    this.#note(key, { lastModified: object.lastModified, lag: this.#rules.listingLag, gone: false })
    return object
  }

  delete(key: string): void {
    const object = this.#objects.get(key)
    if (!object) return
    this.#objects.delete(key)
    this.#note(key, { lastModified: object.lastModified, lag: this.#rules.listingLag, gone: true })
  }

  /** A page of names in byte order. */
  list(prefix: string, after: string, max: number): { key: string; lastModified: Date }[] {
    const shown: { key: string; lastModified: Date }[] = []
    for (const [key, entry] of this.#listed) {
      const isShown = entry.gone ? entry.lag > 0 : entry.lag <= 0
      if (isShown && key.startsWith(prefix) && key > after)
        shown.push({ key, lastModified: entry.lastModified })
      entry.lag--
      if (entry.gone && entry.lag < 0) this.#listed.delete(key)
    }
    return shown.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, max)
  }

  /** Throws when the request may only create an object and one exists. */
  checkCondition(condition: Condition, ifNoneMatch: string | undefined, key: string): void {
    if (ifNoneMatch === undefined || condition === 'ignored') return
    if (condition === 'refused') throw new Fault(501, 'NotImplemented')
    if (this.#objects.has(key)) throw new Fault(412, 'PreconditionFailed')
  }

  #note(key: string, entry: Listed): void {
    this.#listed.set(key, entry)
  }
}
