import { types } from 'node:util'
import { BitsClientError } from '../uploader/client-error.js'
import { FileChangedError } from '../uploader/file-changed-error.js'
import { READ_SIZE, type UploadSource } from './upload-source.js'

/** A Buffer or a Blob to upload; a `File` has a name and a date. */
export class MemorySource implements UploadSource {
  readonly #content: Uint8Array | Blob
  readonly size: number
  readonly modified: number
  readonly name: string | undefined

  constructor(content: Uint8Array | Blob) {
    this.#content = content
    this.size = types.isUint8Array(content) ? content.byteLength : content.size
    const modified: unknown = Reflect.get(content, 'lastModified')
    const name: unknown = Reflect.get(content, 'name')
    this.modified = typeof modified === 'number' ? modified : 0
    this.name = typeof name === 'string' ? name : undefined
  }

  async *read(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    for (let position = start; position < end; position += READ_SIZE) {
      yield await this.#chunk(position, Math.min(position + READ_SIZE, end))
    }
  }

  async assertUnchanged(size: number = this.size, modified: number = this.modified): Promise<void> {
    if (size !== this.size || modified !== this.modified) throw new FileChangedError('The content')
  }

  async close(): Promise<void> {}

  async #chunk(start: number, end: number): Promise<Buffer> {
    const content = this.#content
    if (types.isUint8Array(content)) {
      return Buffer.from(content.buffer, content.byteOffset + start, end - start)
    }
    try {
      return Buffer.from(await content.slice(start, end).arrayBuffer())
    } catch (cause) {
      throw new BitsClientError('The Blob cannot be read.', { fatal: true, cause })
    }
  }
}
