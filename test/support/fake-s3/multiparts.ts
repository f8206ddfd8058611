import { createHash, randomBytes } from 'node:crypto'
import { Fault } from './fault.js'
import { etagOf, md5Of, type Objects } from './objects.js'
import type { Rules } from './rules.js'

interface Upload {
  readonly key: string
  readonly headers: Record<string, string>
  readonly parts: Map<number, Buffer>
}

export class Multiparts {
  readonly #uploads = new Map<string, Upload>()
  /** Ended uploads, for which Complete can be repeated. */
  readonly #completed = new Map<string, string>()
  readonly #objects: Objects
  readonly #rules: Rules

  constructor(objects: Objects, rules: Rules) {
    this.#objects = objects
    this.#rules = rules
  }

  get open(): string[] {
    return [...this.#uploads.values()].map(({ key }) => key)
  }

  create(key: string, headers: Record<string, string>): string {
    const id = `${randomBytes(12).toString('base64')}/+=`
    this.#uploads.set(id, { key, headers, parts: new Map() })
    return id
  }

  put(key: string, id: string, number: number, bytes: Buffer): string {
    if (!(number >= 1 && number <= this.#rules.maxParts)) throw new Fault(400, 'InvalidArgument')
    this.#find(key, id).parts.set(number, bytes)
    return etagOf(bytes)
  }

  /** @returns the ETag of the object. */
  complete(key: string, id: string, parts: { number: number; etag: string }[], ifNoneMatch?: string): string {
    const before = this.#completed.get(id)
    if (before !== undefined) return before
    const upload = this.#find(key, id)
    if (parts.length === 0) throw new Fault(400, 'MalformedXML')
    const bytes = parts.map(({ number, etag }, index) => {
      const part = upload.parts.get(number)
      if (!part || etagOf(part) !== etag) throw new Fault(400, 'InvalidPart')
      if (index > 0 && number <= (parts[index - 1]?.number ?? 0)) throw new Fault(400, 'InvalidPartOrder')
      if (index < parts.length - 1)
        this.#checkSize(part.length, upload.parts.get(parts[0]?.number ?? 0)?.length)
      return part
    })
    this.#objects.checkCondition(this.#rules.complete, ifNoneMatch, key)
    const digest = createHash('md5')
      .update(Buffer.concat(bytes.map(md5Of)))
      .digest('hex')
    const etag = `"${digest}-${parts.length}"`
    this.#objects.put(key, Buffer.concat(bytes), upload.headers, etag)
    this.#uploads.delete(id)
    this.#completed.set(id, etag)
    return etag
  }

  abort(key: string, id: string): void {
    this.#find(key, id)
    this.#uploads.delete(id)
  }

  #checkSize(size: number, first: number | undefined): void {
    if (size < this.#rules.minPartSize) throw new Fault(400, 'EntityTooSmall')
    if (this.#rules.equalParts && size !== first) throw new Fault(400, 'InvalidPart')
  }

  #find(key: string, id: string): Upload {
    const upload = this.#uploads.get(id)
    if (upload?.key !== key) throw new Fault(404, 'NoSuchUpload')
    return upload
  }
}
