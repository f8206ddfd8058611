import type { Readable } from 'node:stream'
import { MemoryStorage, type StagedUpload, type StoredFile } from 'express-bits-upload'

/** A storage whose `publish` blocks until it is released. */
export class SlowStorage extends MemoryStorage {
  /** Number of calls of `publish`. */
  published = 0
  readonly #waiting: (() => void)[] = []
  #asked: () => void = () => {}

  override async publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile> {
    this.published++
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
      this.#asked()
    })
    return super.publish(upload, options)
  }

  /** Resolves when a publication is waiting. */
  async asked(): Promise<void> {
    if (this.#waiting.length > 0) return
    await new Promise<void>((resolve) => {
      this.#asked = resolve
    })
  }

  /** Releases all waiting publications. */
  go(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** A storage whose chosen method fails while `failure` is set. */
export class FailingStorage extends MemoryStorage {
  failure: { at: 'has' | 'begin' | 'append' | 'publish' | 'discard'; error: unknown } | undefined

  override async has(destination: string): Promise<boolean> {
    this.#fail('has')
    return super.has(destination)
  }

  override async begin(upload: StagedUpload): Promise<void> {
    this.#fail('begin')
    return super.begin(upload)
  }

  override async append(
    upload: StagedUpload,
    offset: number,
    body: Readable,
    signal: AbortSignal,
  ): Promise<number> {
    // As a reader of the stream does when its disk is full.
    if (this.failure?.at === 'append') body.pause()
    this.#fail('append')
    return super.append(upload, offset, body, signal)
  }

  override async publish(upload: StagedUpload, options: { overwrite: boolean }): Promise<StoredFile> {
    this.#fail('publish')
    return super.publish(upload, options)
  }

  override async discard(upload: StagedUpload): Promise<void> {
    this.#fail('discard')
    return super.discard(upload)
  }

  #fail(at: string): void {
    if (this.failure?.at === at) throw this.failure.error
  }
}
