import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import type { StagedData, StagedUpload } from 'express-bits-upload'
import { contentOf } from '../../lib/testing/bodies.js'
import { PlainStorage, readAvailable } from './plain-storage.js'

type Append = Parameters<PlainStorage['append']>
type Publish = Parameters<PlainStorage['publish']>

/** A storage with a single defect, and the clauses that detect it. */
export interface BrokenStorage {
  readonly make: () => PlainStorage
  readonly caughtBy: readonly string[]
}

export const BROKEN_STORAGES: Readonly<Record<string, BrokenStorage>> = {
  'returns the length of the body from append()': {
    make: () =>
      new (class extends PlainStorage {
        override async append(...args: Append) {
          return (await super.append(...args)) - args[1]
        }
      })(),
    caughtBy: ['append-early-end', 'append-length', 'received-during-append'],
  },

  'publishes a file piece by piece': {
    make: () =>
      new (class extends PlainStorage {
        override async publish(...args: Publish) {
          const [{ uploadId, destination }] = args
          const content = this.bytes.get(uploadId)
          const file = await super.publish(...args)
          for (let end = 0; content && end < content.length; end += 1_000_000) {
            this.files.set(destination, { uploadId, content: content.subarray(0, end) })
            await setImmediate()
          }
          if (content) this.files.set(destination, { uploadId, content })
          return file
        }
      })(),
    caughtBy: ['publish-atomic'],
  },

  'removes the old file before it publishes the new one': {
    make: () =>
      new (class extends PlainStorage {
        override async publish(...args: Publish) {
          const [{ destination }, { overwrite }] = args
          if (overwrite) this.files.delete(destination)
          await setImmediate()
          return super.publish(...args)
        }
      })(),
    caughtBy: ['publish-atomic', 'publish-length'],
  },

  'swallows the errors of its disk': {
    make: () =>
      new (class extends PlainStorage {
        override append(...args: Append) {
          return super.append(...args).catch(() => this.received(args[0]))
        }
      })(),
    caughtBy: ['append-failure'],
  },

  'destroys the body when its disk fails': {
    make: () =>
      new (class extends PlainStorage {
        override async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
          if (!this.full.has(upload.uploadId)) return super.append(upload, offset, body, signal)
          await pipeline(body, async (chunks: AsyncIterable<Buffer>) => {
            for await (const chunk of chunks) this.write(upload, offset, chunk)
          })
          return offset
        }
      })(),
    caughtBy: ['append-failure'],
  },

  'never closes the files that it writes': {
    make: () =>
      new (class extends PlainStorage {
        readonly handles: FileHandle[] = []
        override async append(...args: Append) {
          this.handles.push(await open('/dev/null', 'w'))
          return super.append(...args)
        }
        async close() {
          for (const handle of this.handles) await handle.close()
        }
      })(),
    caughtBy: ['handles'],
  },

  'keeps a file open whose reader stops early': {
    make: () =>
      new (class extends PlainStorage {
        readonly #open = new Set<Readable>()
        override read(upload: StagedUpload) {
          const body = super.read(upload)
          const file = createReadStream('/dev/zero')
          body.once('end', () => file.destroy())
          this.#open.add(file)
          return body
        }
        async close() {
          for (const file of this.#open) if (!file.closed) await once(file.destroy(), 'close')
        }
      })(),
    caughtBy: ['handles'],
  },

  'writes each body at the beginning': {
    make: () =>
      new (class extends PlainStorage {
        override async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
          return offset + (await super.append(upload, 0, body, signal))
        }
      })(),
    caughtBy: [
      'append-early-end',
      'append-length',
      'append-offset',
      'append-repeat',
      'handles',
      'received-during-append',
      'uploads-apart',
    ],
  },

  'writes each body at the end': {
    make: () =>
      new (class extends PlainStorage {
        override async append(upload: StagedUpload, _offset: number, body: Readable, signal: AbortSignal) {
          return super.append(upload, await this.received(upload), body, signal)
        }
      })(),
    caughtBy: ['append-repeat'],
  },

  'cuts off what lies behind the bytes it writes': {
    make: () =>
      new (class extends PlainStorage {
        override async append(...args: Append) {
          const [{ uploadId }, offset] = args
          const before = this.bytes.get(uploadId)
          if (before) this.bytes.set(uploadId, before.subarray(0, offset))
          return super.append(...args)
        }
      })(),
    caughtBy: ['append-repeat'],
  },

  'believes the client how much is staged': {
    make: () =>
      new (class extends PlainStorage {
        override async received(upload: StagedUpload, expected?: number) {
          return expected ?? super.received(upload)
        }
      })(),
    caughtBy: ['received-expected'],
  },

  'puts a file at its destination with its last byte': {
    make: () =>
      new (class extends PlainStorage {
        override async append(...args: Append) {
          const [{ uploadId, destination, total }] = args
          const length = await super.append(...args)
          const content = this.bytes.get(uploadId)
          if (content && length === total) this.files.set(destination, { uploadId, content })
          return length
        }
      })(),
    caughtBy: ['discard', 'publish-hidden', 'publish-length', 'publish-taken'],
  },

  'keeps what is discarded': {
    make: () =>
      new (class extends PlainStorage {
        override async discard() {}
      })(),
    caughtBy: ['discard', 'discard-by-id', 'read-missing', 'received-expected', 'reply-discard', 'staged'],
  },

  'finds what to discard by its destination': {
    make: () =>
      new (class extends PlainStorage {
        override async discard(upload: StagedUpload, options?: { keepReply?: boolean }) {
          if (upload.destination !== '') await super.discard(upload, options)
        }
      })(),
    caughtBy: ['discard-by-id', 'reply-discard', 'staged'],
  },

  'removes the published file as well': {
    make: () =>
      new (class extends PlainStorage {
        override async discard(upload: StagedUpload, options?: { keepReply?: boolean }) {
          await super.discard(upload, options)
          this.files.delete(upload.destination)
        }
      })(),
    caughtBy: ['discard', 'publish-length', 'publish-taken', 'reply-discard'],
  },

  'rejects when a body fails': {
    make: () =>
      new (class extends PlainStorage {
        override async append(upload: StagedUpload, offset: number, body: Readable, signal: AbortSignal) {
          body.once('error', () => {})
          if (body.destroyed || signal.aborted) throw new Error('The body is over.')
          signal.addEventListener('abort', () => body.destroy(new Error('aborted')))
          this.write(upload, offset, await contentOf(body))
          return this.received(upload)
        }
      })(),
    caughtBy: ['append-early-end', 'handles'],
  },

  'needs begin() to append': {
    make: () =>
      new (class extends PlainStorage {
        override async append(...args: Append) {
          if (!this.bytes.has(args[0].uploadId)) throw new Error('It never began.')
          return super.append(...args)
        }
      })(),
    caughtBy: ['append-without-begin'],
  },

  'does not know an upload that was never begun': {
    make: () =>
      new (class extends PlainStorage {
        override async received({ uploadId }: StagedUpload) {
          const content = this.bytes.get(uploadId)
          if (!content) throw new Error('There is no such upload.')
          return content.length
        }
      })(),
    caughtBy: ['begin-empty', 'discard', 'discard-by-id', 'handles', 'received-expected', 'reply-discard'],
  },

  'counts what it has not stored yet as received': {
    make: () =>
      new (class extends PlainStorage {
        override async received(upload: StagedUpload) {
          const held = await super.received(upload)
          return held > 0 && held < (upload.total ?? 0) ? (upload.total ?? 0) : held
        }
      })(),
    caughtBy: ['append-early-end', 'append-length', 'received-during-append'],
  },

  'has one place for all bytes': {
    make: () =>
      new (class extends PlainStorage {
        #shared: string | undefined
        override write(upload: StagedUpload, position: number, chunk: Buffer) {
          this.#shared ??= upload.uploadId
          super.write(upload, position, chunk)
          if (this.#shared !== upload.uploadId)
            super.write({ ...upload, uploadId: this.#shared }, position, chunk)
        }
      })(),
    caughtBy: ['publish-overwrite', 'publish-taken', 'uploads-apart'],
  },

  'gives staged bytes to one reader only': {
    make: () =>
      new (class extends PlainStorage {
        readonly #read = new Set<string>()
        override read(upload: StagedUpload) {
          const again = this.#read.has(upload.uploadId)
          this.#read.add(upload.uploadId)
          return again ? super.read({ ...upload, uploadId: '' }) : super.read(upload)
        }
      })(),
    caughtBy: ['handles', 'read-again'],
  },

  'reads what is missing as a file without bytes': {
    make: () =>
      new (class extends PlainStorage {
        override read(upload: StagedUpload) {
          return this.bytes.has(upload.uploadId) ? super.read(upload) : new PassThrough().end()
        }
      })(),
    caughtBy: ['read-missing'],
  },

  'publishes nothing twice': {
    make: () =>
      new (class extends PlainStorage {
        override async publish(...args: Publish) {
          const file = await super.publish(...args)
          this.bytes.delete(args[0].uploadId)
          return file
        }
      })(),
    caughtBy: ['publish-repeat'],
  },

  'publishes what is there, whatever its length': {
    make: () =>
      new (class extends PlainStorage {
        override publish(upload: StagedUpload, options: { overwrite: boolean }) {
          return super.publish({ ...upload, total: this.bytes.get(upload.uploadId)?.length }, options)
        }
      })(),
    caughtBy: ['publish-length'],
  },

  'overwrites what it may not': {
    make: () =>
      new (class extends PlainStorage {
        override publish(upload: StagedUpload) {
          return super.publish(upload, { overwrite: true })
        }
      })(),
    caughtBy: ['publish-taken'],
  },

  'looks whether a name is taken, and publishes later': {
    make: () =>
      new (class extends PlainStorage {
        override async publish(upload: StagedUpload, { overwrite }: { overwrite: boolean }) {
          const there = this.files.get(upload.destination)
          await setImmediate()
          const taken = there && there.uploadId !== upload.uploadId
          return super.publish(upload, { overwrite: overwrite || !taken })
        }
      })(),
    caughtBy: ['publish-taken'],
  },

  'never overwrites': {
    make: () =>
      new (class extends PlainStorage {
        override publish(upload: StagedUpload) {
          return super.publish(upload, { overwrite: false })
        }
      })(),
    caughtBy: ['publish-atomic', 'publish-overwrite'],
  },

  'cannot publish a file without bytes': {
    make: () =>
      new (class extends PlainStorage {
        override async publish(...args: Publish) {
          if (!this.bytes.get(args[0].uploadId)?.length) throw new Error('There are no bytes.')
          return super.publish(...args)
        }
      })(),
    caughtBy: ['publish-file'],
  },

  'lists nothing as staged': {
    make: () =>
      new (class extends PlainStorage {
        override async *staged(): AsyncIterable<StagedData> {}
      })(),
    caughtBy: ['staged'],
  },

  'keeps one reply for all uploads': {
    make: () =>
      new (class extends PlainStorage {
        override writeReply(_upload: StagedUpload, body: Readable) {
          return super.writeReply({ uploadId: '', destination: '' }, body)
        }
        override async statReply() {
          return super.statReply({ uploadId: '', destination: '' })
        }
        override readReply(_upload: StagedUpload, range?: { start: number; end: number }) {
          return super.readReply({ uploadId: '', destination: '' }, range)
        }
      })(),
    caughtBy: ['reply', 'reply-discard'],
  },

  'keeps what arrived of a reply that failed': {
    make: () =>
      new (class extends PlainStorage {
        override async writeReply({ uploadId }: StagedUpload, body: Readable) {
          const chunks: Buffer[] = []
          for await (const chunk of readAvailable(body, new AbortController().signal)) chunks.push(chunk)
          this.replies.set(uploadId, { content: Buffer.concat(chunks), lastModified: new Date() })
          return Buffer.concat(chunks).length
        }
      })(),
    caughtBy: ['reply-replace'],
  },

  'removes a reply with the publication': {
    make: () =>
      new (class extends PlainStorage {
        override discard(upload: StagedUpload) {
          return super.discard(upload)
        }
      })(),
    caughtBy: ['reply-discard'],
  },

  'works on one upload at a time': {
    make: () =>
      new (class extends PlainStorage {
        #last: Promise<unknown> = Promise.resolve()
        override append(...args: Append) {
          const appended = this.#last.then(() => super.append(...args))
          this.#last = appended.catch(() => {})
          return appended
        }
      })(),
    caughtBy: ['uploads-apart'],
  },

  'returns from received() only after the append': {
    make: () =>
      new (class extends PlainStorage {
        #appending: Promise<unknown> = Promise.resolve()
        override append(...args: Append) {
          const appended = super.append(...args)
          this.#appending = appended.catch(() => {})
          return appended
        }
        override async received(upload: StagedUpload) {
          await this.#appending
          return super.received(upload)
        }
      })(),
    caughtBy: ['received-during-append'],
  },
}
