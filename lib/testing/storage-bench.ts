import type { StagedUpload, StorageAdapter } from '../../types/storage.js'
import { contentOf, never, streamOf } from './bodies.js'

/** A storage under test, and what its tests need in addition. */
export interface StorageUnderTest {
  /** Empty, and not open yet. */
  readonly storage: StorageAdapter
  /** The bytes at a destination; `undefined` if there are none. */
  published(destination: string): Promise<Uint8Array | undefined>
  /**
   * Makes all further appends to this upload fail in a typical way (a full disk, a lost connection); optional. Without
   * it, failures are not tested.
   */
  breakAppends?(upload: StagedUpload): Promise<void>
  /** Called after each test, after the storage was closed; optional. */
  remove?(): Promise<void>
}

/** The environment of a storage test. */
export class StorageBench {
  readonly storage: StorageAdapter
  readonly subject: StorageUnderTest
  #count = 0

  constructor(subject: StorageUnderTest) {
    this.subject = subject
    this.storage = subject.storage
  }

  newUpload(destination: string, total?: number): StagedUpload {
    return { uploadId: (++this.#count).toString(16).padStart(32, '0'), destination, total }
  }

  async begun(destination: string, total?: number): Promise<StagedUpload> {
    const upload = this.newUpload(destination, total)
    await this.storage.begin({ ...upload, total: undefined })
    return upload
  }

  /** An upload that has all its bytes. */
  async filled(destination: string, content: Buffer): Promise<StagedUpload> {
    const upload = await this.begun(destination, content.length)
    await this.storage.append(upload, 0, streamOf(content), never())
    return upload
  }

  /** A file at its destination, as it is once its session has closed. */
  async publishedNow(destination: string, content: string | Buffer): Promise<StagedUpload> {
    const upload = await this.filled(destination, Buffer.from(content))
    await this.storage.publish(upload, { overwrite: false })
    await this.storage.discard(upload)
    return upload
  }

  /** Only for uploads that are complete: an adapter need not be able to read others. */
  stagedContent(upload: StagedUpload): Promise<Buffer> {
    return contentOf(this.storage.read(upload))
  }

  async publishedText(destination: string): Promise<string | undefined> {
    const content = await this.subject.published(destination)
    return content && Buffer.from(content).toString()
  }

  /** The ids that the storage lists as staged, each once. */
  async listed(): Promise<string[]> {
    const ids = new Set<string>()
    for await (const { uploadId } of this.storage.staged?.() ?? []) ids.add(uploadId)
    return [...ids].sort()
  }
}
