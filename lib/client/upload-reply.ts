import { types } from 'node:util'
import { BitsClientError } from './client-error.js'
import type { Line } from './exchange.js'
import { ReplyDownload, resolveReplyUrl } from './fetch-reply.js'
import { fileSink, memorySink, type ReplySink } from './reply-sink.js'
import type { Settings } from './settings.js'

/** The reply of one upload, fetched before its session is closed: with the session it goes (Win32 close-session). */
export class UploadReply {
  readonly #settings: Settings
  readonly #sink: ReplySink
  #download: ReplyDownload | undefined
  #content: Buffer | undefined
  #fetched = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.#sink = settings.replyTo === undefined ? memorySink() : fileSink(settings.replyTo)
  }

  get url(): URL | undefined {
    return this.#download?.url
  }

  get content(): Buffer | undefined {
    return this.#content
  }

  get fetched(): boolean {
    return this.#fetched
  }

  /** Goes on where an earlier call failed. */
  async fetch(replyUrl: string, line: Line): Promise<void> {
    const { url, common, maxReplySize } = this.#settings
    if (!this.#download) {
      const target = resolveReplyUrl(replyUrl, url)
      // Another origin is not to see what was meant for this one.
      const headers = target.origin === url.origin ? common : { ...common, custom: {} }
      this.#download = new ReplyDownload(target, headers, this.#sink, maxReplySize)
    }
    const sameScheme = this.#download.url.protocol === url.protocol
    try {
      this.#content = await this.#download.fetch(sameScheme ? line : { ...line, agent: false })
    } catch (error) {
      if (error instanceof BitsClientError || !types.isNativeError(error)) throw error
      throw new BitsClientError(`The reply cannot be kept: ${error.message}.`, { fatal: true, cause: error })
    }
    this.#fetched = true
  }

  /** The upload starts anew, and another reply will come. */
  async forget(): Promise<void> {
    this.#download = undefined
    this.#content = undefined
    this.#fetched = false
    await this.#sink.clear()
  }

  close(): Promise<void> {
    return this.#sink.close()
  }
}
