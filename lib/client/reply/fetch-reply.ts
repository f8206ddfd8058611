import type { IncomingMessage } from 'node:http'
import { finished } from 'node:stream/promises'
import { BitsClientError } from '../../uploader/client-error.js'
import { type AnsweredRequest, refusal } from '../../uploader/refusal.js'
import { ADVICE } from '../advice.js'
import { type CommonHeaders, replyHeaders } from '../transport/packet-headers.js'
import { hintFor } from '../transport/refusal-hint.js'
import { headOf } from '../transport/response-head.js'
import { type RequestOptions, sendRequest } from '../transport/send-request.js'
import type { ReplySink } from './reply-sink.js'

/** Bytes requested at once. */
const PIECE = 1024 * 1024

interface ReplyPiece {
  readonly first: number
  /** Absent when the server does not send it. */
  readonly total: number | undefined
  /** Changes whenever the reply does. */
  readonly version: string
}

/** Fetches a reply in parts (MC-BUP 3.6); after a failure `fetch` continues where it stopped. */
export class ReplyDownload {
  readonly url: URL
  readonly #common: CommonHeaders
  readonly #sink: ReplySink
  readonly #maxSize: number
  #position = 0
  #version: string | undefined

  /** @param maxSize bytes. */
  constructor(url: URL, common: CommonHeaders, sink: ReplySink, maxSize: number) {
    this.url = url
    this.#common = common
    this.#sink = sink
    this.#maxSize = maxSize
  }

  /** @returns the reply, if its sink keeps it in memory. @throws BitsClientError */
  async fetch(line: RequestOptions): Promise<Buffer | undefined> {
    while (!(await this.#piece(line))) {
      // The next request follows.
    }
    return this.#sink.finish()
  }

  #piece(line: RequestOptions): Promise<boolean> {
    const headers = replyHeaders(this.url, this.#common, this.#position, this.#position + PIECE - 1)
    const authenticated = line.authenticate !== undefined
    const request = {
      kind: 'GET',
      method: 'GET',
      url: this.url,
      headers,
      authenticated,
      hint: hintFor,
    } as const
    return sendRequest(line, request, (response, alive) => this.#take(request, response, alive))
  }

  async #take(request: AnsweredRequest, response: IncomingMessage, alive: () => void): Promise<boolean> {
    if (response.statusCode === 416 && response.headers['content-range'] === 'bytes */0') {
      await finished(response.resume())
      return true
    }
    const piece = pieceOf(request, response)
    await this.#startOverIfNeeded(piece, response.statusCode === 200)
    this.#refuseLarge(piece.total ?? 0)
    const before = this.#position
    for await (const chunk of response as AsyncIterable<Buffer>) {
      alive()
      this.#refuseLarge(this.#position + chunk.length)
      await this.#sink.write(chunk, this.#position)
      this.#position += chunk.length
    }
    if (response.statusCode === 200 || this.#position === piece.total) return true
    if (this.#position === before)
      throw new BitsClientError('A piece of the reply is empty.', { packet: 'GET' })
    return false
  }

  async #startOverIfNeeded(piece: ReplyPiece, whole: boolean): Promise<void> {
    const changed = this.#version !== undefined && this.#version !== piece.version
    this.#version = piece.version
    if (!changed && piece.first === this.#position) return
    this.#position = 0
    await this.#sink.clear()
    if (whole) return
    this.#version = undefined
    throw new BitsClientError('The reply changed while it was fetched.', { packet: 'GET' })
  }

  #refuseLarge(bytes: number): void {
    if (bytes <= this.#maxSize) return
    const message = `The reply has over ${this.#maxSize} bytes: ${ADVICE.largeReply}.`
    throw new BitsClientError(message, { packet: 'GET', fatal: true })
  }
}

function pieceOf(request: AnsweredRequest, response: IncomingMessage): ReplyPiece {
  const { statusCode: status, headers } = response
  const unusable = (why: string): BitsClientError =>
    new BitsClientError(`The answer ${status} with the reply ${why}.`, { packet: 'GET', status, fatal: true })
  if (status !== 200 && status !== 206) throw refusal(request, headOf(response))
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw unusable('is encoded')
  if (status === 200) {
    const length = headers['content-length']
    return {
      first: 0,
      total: length === undefined ? undefined : Number(length),
      version: replyVersion(headers, length),
    }
  }
  const match = /^bytes (\d+)-\d+\/(\d+)$/i.exec(headers['content-range'] ?? '')
  if (!match) throw unusable('has no Content-Range of one range')
  return { first: Number(match[1]), total: Number(match[2]), version: replyVersion(headers, match[2]) }
}

const replyVersion = (headers: IncomingMessage['headers'], total: string | undefined): string =>
  [headers['last-modified'], headers.etag, total].join('\n')
