import { refusal } from '../uploader/refusal.js'
import { resolveReplyUrl } from '../uploader/reply-url.js'
import type { ReplyFetcher } from '../uploader/upload-context.js'
import { fetchedHead, request } from './request.js'
import type { BrowserSettings } from './settings.js'

/** The reply of the server application, in memory. */
export class BrowserReply implements ReplyFetcher {
  readonly #settings: BrowserSettings
  url: URL | undefined
  content: Blob | undefined

  constructor(settings: BrowserSettings) {
    this.#settings = settings
  }

  get fetched(): boolean {
    return this.content !== undefined
  }

  async fetch(replyUrl: string): Promise<void> {
    const { url: destination, headers: given, signal } = this.#settings
    const url = resolveReplyUrl(replyUrl, destination)
    this.url = url
    // Another origin must not receive headers that were meant for this one.
    const headers = url.origin === destination.origin ? given : {}
    const outgoing = { kind: 'GET', method: 'GET', url, headers } as const
    this.content = await request(outgoing, this.#settings, signal, async (response) => {
      if (response.status !== 200) {
        await response.body?.cancel()
        throw refusal(outgoing, fetchedHead(response))
      }
      return response.blob()
    })
  }

  async forget(): Promise<void> {
    this.url = undefined
    this.content = undefined
  }
}
