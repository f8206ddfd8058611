import type { Readable } from 'node:stream'
import { MemoryStorage, type StagedUpload, type StoredFile } from 'express-bits-upload'

/** Publishes when it is let to. */
export class SlowStorage extends MemoryStorage {
  /** How often publication was asked for. */
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

  /** Resolves once a publication waits. */
  async asked(): Promise<void> {
    if (this.#waiting.length > 0) return
    await new Promise<void>((resolve) => {
      this.#asked = resolve
    })
  }

  /** Lets those that wait go on. */
  go(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Fails where it is told to, as long as it is told to. */
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
    // As a stream's reader does that finds its disk full.
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
