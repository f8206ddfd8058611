import { resolveReplyUrl } from '../../uploader/reply-url.js'
import type { ReplyFetcher } from '../../uploader/upload-context.js'
import type { ClientSettings } from '../settings.js'
import type { RequestOptions } from '../transport/send-request.js'
import { ReplyDownload } from './fetch-reply.js'
import { memorySink, openSink } from './open-reply-sink.js'
import type { ReplySink } from './reply-sink.js'

/** The reply of one upload, in memory or in a file. */
export class UploadReply implements ReplyFetcher {
  readonly #settings: ClientSettings
  readonly #line: RequestOptions
  readonly #sink: ReplySink
  #download: ReplyDownload | undefined
  #content: Buffer | undefined
  #fetched = false

  private constructor(settings: ClientSettings, line: RequestOptions, sink: ReplySink) {
    this.#settings = settings
    this.#line = line
    this.#sink = sink
  }

  /**
   * @param source path of the file that is uploaded, if it is a file.
   * @throws TypeError and BitsClientError when a reply cannot be written to `replyTo`.
   */
  static async open(
    settings: ClientSettings,
    source: string | undefined,
    line: RequestOptions,
  ): Promise<UploadReply> {
    const { replyTo, signal } = settings
    const sink = replyTo === undefined ? memorySink() : await openSink(replyTo, source, signal)
    return new UploadReply(settings, line, sink)
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

  async fetch(replyUrl: string): Promise<void> {
    const { url, common, maxReplySize } = this.#settings
    if (!this.#download) {
      const target = resolveReplyUrl(replyUrl, url)
      // Another origin must not receive headers that were meant for this one.
      const headers = target.origin === url.origin ? common : { ...common, custom: {} }
      this.#download = new ReplyDownload(target, headers, this.#sink, maxReplySize)
    }
    const { authenticate, ...anonymous } = this.#line
    const sameOrigin = this.#download.url.origin === url.origin
    const line = sameOrigin && authenticate ? { ...anonymous, authenticate } : anonymous
    const sameScheme = this.#download.url.protocol === url.protocol
    this.#content = await this.#download.fetch(sameScheme ? line : { ...line, agent: false })
    this.#fetched = true
  }

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
