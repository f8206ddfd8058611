import type { ClientSettings } from '../settings.js'
import type { RequestOptions } from '../transport/send-request.js'
import { ReplyDownload, resolveReplyUrl } from './fetch-reply.js'
import { memorySink, openSink } from './open-reply-sink.js'
import type { ReplySink } from './reply-sink.js'

/** The reply of one upload, fetched before its session is closed: with the session it goes (Win32 close-session). */
export class UploadReply {
  readonly #settings: ClientSettings
  readonly #sink: ReplySink
  #download: ReplyDownload | undefined
  #content: Buffer | undefined
  #fetched = false

  private constructor(settings: ClientSettings, sink: ReplySink) {
    this.#settings = settings
    this.#sink = sink
  }

  /**
   * @param source path of the file that is uploaded, if it is a file.
   * @throws TypeError and BitsClientError when a reply cannot be written to `replyTo`.
   */
  static async open(settings: ClientSettings, source: string | undefined): Promise<UploadReply> {
    const { replyTo, signal } = settings
    const sink = replyTo === undefined ? memorySink() : await openSink(replyTo, source, signal)
    return new UploadReply(settings, sink)
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
  async fetch(replyUrl: string, line: RequestOptions): Promise<void> {
    const { url, common, maxReplySize } = this.#settings
    if (!this.#download) {
      const target = resolveReplyUrl(replyUrl, url)
      // Another origin is not to see what was meant for this one.
      const headers = target.origin === url.origin ? common : { ...common, custom: {} }
      this.#download = new ReplyDownload(target, headers, this.#sink, maxReplySize)
    }
    const sameScheme = this.#download.url.protocol === url.protocol
    this.#content = await this.#download.fetch(sameScheme ? line : { ...line, agent: false })
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
