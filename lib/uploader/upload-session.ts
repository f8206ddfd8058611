import type { AckFields } from './ack.js'
import { BitsClientError } from './client-error.js'
import { FragmentSize } from './fragment-size.js'
import type { OutgoingPacket } from './packet.js'
import { isRangeRefused, reactionTo } from './retry-policy.js'
import { sendFragment } from './send-fragment.js'
import { sleep } from './sleep.js'
import type { UploadContext } from './upload-context.js'
import type { UploadState } from './upload-types.js'

/** The states of MC-BUP 3.1.1.2 that send something. */
export type Step = 'create' | 'ping' | 'fragment' | 'reply' | 'close'

/** A finished upload. */
export interface SessionResult {
  readonly sessionId: string
  readonly bytes: number
  readonly replyUrl?: string
}

/** One session on the server, step by step. Each step sends one packet and returns the next step, or `done`. */
export class UploadSession {
  readonly #tools: UploadContext
  readonly #size: FragmentSize
  #id: string | undefined
  #offset = 0
  #replyUrl: string | undefined
  /** A Close-Session was sent, and whether it arrived is not known. */
  #closeUnanswered = false
  /** The server knows that the file is empty: it may have named a reply. */
  #emptyAcknowledged = false
  /**
   * The server does not accept an empty fragment. Neither will it in the next session, so {@link forget} keeps this.
   */
  #emptyRefused = false
  /** How often the connection was lost during an empty fragment. */
  #emptyLost = 0

  constructor(tools: UploadContext) {
    const { resume, fragmentSize } = tools.settings
    this.#tools = tools
    this.#size = new FragmentSize(fragmentSize)
    if (!resume) return
    this.#id = resume.sessionId
    this.#offset = resume.offset
    this.#replyUrl = resume.replyUrl
    this.#emptyAcknowledged = resume.replyUrl !== undefined
  }

  /** Undefined before Create-Session. */
  get state(): UploadState | undefined {
    const { file, host } = this.#tools
    if (this.#id === undefined) return undefined
    return {
      sessionId: this.#id,
      offset: this.#offset,
      size: file.size,
      modified: file.modified,
      hostId: host.hostId,
      hostIdFallbackTimeout: host.fallbackTimeout,
      replyUrl: this.#replyUrl,
    }
  }

  result(): SessionResult {
    const { file, reply } = this.#tools
    return {
      sessionId: this.#id ?? '',
      bytes: file.size,
      ...(reply.url && { replyUrl: reply.url.href }),
    }
  }

  perform(step: Step): Promise<Step | 'done'> {
    const steps = {
      create: () => this.#create(),
      ping: () => this.#ping(),
      fragment: () => this.#fragment(),
      reply: () => this.#fetchReply(),
      close: () => this.#close(),
    }
    return steps[step]()
  }

  /** The server does not know this session: the next one starts at 0. */
  async forget(): Promise<void> {
    this.#id = undefined
    this.#offset = 0
    this.#replyUrl = undefined
    this.#closeUnanswered = false
    this.#emptyAcknowledged = false
    await this.#tools.reply.forget()
  }

  #next(): Step {
    if (this.#id === undefined) return 'create'
    const { size } = this.#tools.file
    const emptyUntold = size === 0 && !this.#emptyAcknowledged && !this.#emptyRefused
    if (this.#offset < size || emptyUntold) return 'fragment'
    return this.#replyUrl !== undefined && !this.#tools.reply.fetched ? 'reply' : 'close'
  }

  async #create(): Promise<Step> {
    const { sessionId, hostId, hostIdFallbackTimeout } = await this.#send({
      type: 'Create-Session',
      length: 0,
    })
    this.#id = sessionId
    const follow = hostId !== undefined && this.#tools.settings.followHostId
    if (follow && !this.#tools.host.adopt(hostId, hostIdFallbackTimeout)) {
      throw new BitsClientError('BITS-Host-Id is not a host.', { packet: 'Create-Session', fatal: true })
    }
    this.#report()
    // The other host must respond before anything else is sent to it (MC-BUP 2.2.4).
    return follow ? 'ping' : this.#next()
  }

  async #ping(): Promise<Step> {
    await this.#send({ type: 'Ping', length: 0 })
    return this.#next()
  }

  async #fragment(): Promise<Step> {
    if (this.#tools.file.size === 0) return this.#emptyFragment()
    const ack = await sendFragment(this.#tools, this.#size, this.#id, this.#offset)
    this.#tools.host.reached()
    return this.#adopt(ack)
  }

  /**
   * Has an empty file delivered while there is a session to keep its reply (D16): the Ack of Close-Session names none.
   * MC-BUP does not know such a range. Servers that do not either refuse it, or hang up; they publish the file at
   * Close-Session.
   */
  async #emptyFragment(): Promise<Step> {
    const { file, host } = this.#tools
    await file.assertUnchanged()
    try {
      const ack = await sendFragment(this.#tools, this.#size, this.#id, 0)
      host.reached()
      this.#emptyAcknowledged = true
      return await this.#adopt(ack)
    } catch (error) {
      if (!(error instanceof BitsClientError)) throw error
      if (!isRangeRefused(error) && !this.#hangsUp(error)) throw error
      this.#emptyRefused = true
      return this.#next()
    }
  }

  /** One break may be a coincidence, and giving up would lose a reply; two at the same point are a refusal. */
  #hangsUp(error: BitsClientError): boolean {
    if (!error.connectionLost) return false
    this.#emptyLost += 1
    return this.#emptyLost > 1 || this.#tools.settings.retries === 0
  }

  /** Whatever number the server names, lower or higher, with 200 or with 416, is the next byte (MC-BUP 3.1.5.1.4). */
  async #adopt({ offset = 0, replyUrl }: AckFields): Promise<Step> {
    const { file, retryBudget, settings } = this.#tools
    if (offset > file.size) {
      const message = `The server claims ${offset} bytes of a file of ${file.size}.`
      throw new BitsClientError(message, { packet: 'Fragment', fatal: true })
    }
    // An empty file is at its end: the offset cannot grow.
    const delay = file.size === 0 ? 0 : retryBudget.recordProgress(this.#offset, offset)
    this.#offset = offset
    if (offset === file.size) this.#replyUrl = replyUrl
    this.#report()
    await sleep(delay, settings.signal)
    return this.#next()
  }

  async #fetchReply(): Promise<Step> {
    await this.#tools.reply.fetch(this.#replyUrl ?? '')
    return this.#next()
  }

  async #close(): Promise<'done'> {
    const { file } = this.#tools
    // Fragments have already shown it, unless none was accepted (D16).
    if (this.#emptyRefused) await file.assertUnchanged()
    try {
      await this.#send({ type: 'Close-Session', sessionId: this.#id, length: 0 })
    } catch (error) {
      if (!(error instanceof BitsClientError)) throw error
      // An earlier Close-Session arrived (D10); starting over would upload the file twice.
      const closedBefore = this.#closeUnanswered && reactionTo(error) === 'restart'
      this.#closeUnanswered ||= error.status === undefined
      if (!closedBefore) throw error
    }
    return 'done'
  }

  #send(packet: OutgoingPacket): Promise<AckFields> {
    const { send, host, contentName } = this.#tools
    const named = packet.type === 'Ping' ? packet : { ...packet, contentName }
    return send(host.url, named)
  }

  #report(): void {
    const { reporter, file } = this.#tools
    reporter.progress({ sent: this.#offset, acknowledged: this.#offset, total: file.size })
    if (this.state) reporter.state(this.state)
  }
}
