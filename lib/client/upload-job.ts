import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { CANCEL_TIMEOUT, sendCancelSession } from '../uploader/cancel-session.js'
import { BitsClientError } from '../uploader/client-error.js'
import { FileChangedError } from '../uploader/file-changed-error.js'
import { contentNameOf } from '../uploader/packet.js'
import { Reporter } from '../uploader/reporter.js'
import { RetryBudget } from '../uploader/retry-budget.js'
import { runUpload } from '../uploader/run-upload.js'
import { UploadHost } from '../uploader/target-host.js'
import type { UploadContext } from '../uploader/upload-context.js'
import { UploadSession } from '../uploader/upload-session.js'
import type { UploadState } from '../uploader/upload-types.js'
import { checkContent, openSource } from './open-source.js'
import type { UploadOptions, UploadResult } from './options.js'
import { UploadReply } from './reply/upload-reply.js'
import { sendDigest } from './send-digest.js'
import { type ClientSettings, settingsOf } from './settings.js'
import { packetSender } from './transport/send-packet.js'
import type { RequestOptions } from './transport/send-request.js'
import type { UploadContent, UploadSource } from './upload-source.js'
import { wrongScheme } from './wrong-scheme.js'

/**
 * One upload of one file, with access to its state: the basis of `uploadFile()`.
 *
 * @example const job = new UploadJob('logs.zip', 'https://example.org/uploads/logs.zip'); await job.run()
 */
export class UploadJob {
  readonly #content: UploadContent
  readonly #settings: ClientSettings
  #running = false
  #state: UploadState | undefined

  /**
   * @param content the path of a local file, or bytes in memory: a Buffer or a Blob.
   * @param url destination: the URL of the file on the server. A user name and password in it become Basic
   * credentials.
   * @throws TypeError for invalid options.
   */
  constructor(content: UploadContent, url: string | URL, options: UploadOptions = {}) {
    checkContent(content)
    this.#content = content
    this.#settings = settingsOf(url, options)
    this.#state = this.#settings.resume
  }

  /**
   * The value for {@link UploadOptions.resume} to continue later. Undefined while there is no session, and after
   * success.
   */
  get state(): UploadState | undefined {
    return this.#state
  }

  /**
   * Uploads the file; after a failure it may be called again, and continues from {@link state}.
   *
   * @throws BitsClientError, or the reason of `signal`; TypeError when `replyTo` is a directory or the file itself.
   */
  async run(): Promise<UploadResult> {
    const { signal, cancelOnAbort } = this.#settings
    try {
      return await this.#alone((line) => this.#upload(line))
    } catch (error) {
      const useless = error instanceof FileChangedError && this.#state !== this.#settings.resume
      if (signal?.aborted ? cancelOnAbort : useless) await this.#tryToCancel()
      throw signal?.aborted ? signal.reason : error
    }
  }

  /**
   * Cancels the session of a job that is not running; does nothing without a session. A file that was uploaded
   * completely stays.
   *
   * @throws BitsClientError when the server refuses, or cannot be reached within a few seconds.
   */
  async cancel(): Promise<void> {
    const state = this.#state
    if (!state) return
    const { url, common, followHostId } = this.#settings
    const host = new UploadHost(url, followHostId ? state : undefined)
    await this.#alone(({ signal: _aborted, ...line }) => {
      const sendTimeout = Math.min(CANCEL_TIMEOUT, line.sendTimeout)
      const responseTimeout = Math.min(CANCEL_TIMEOUT, line.responseTimeout)
      const send = packetSender({ ...line, sendTimeout, responseTimeout }, common)
      return sendCancelSession(send, host.url, state.sessionId)
    })
    this.#state = undefined
  }

  async #upload(line: RequestOptions): Promise<UploadResult> {
    line.signal?.throwIfAborted()
    const state = this.#state
    const settings: ClientSettings = { ...this.#settings, resume: state }
    const file = await openSource(this.#content)
    try {
      if (state) await file.assertUnchanged(state.size, state.modified)
      const path = typeof this.#content === 'string' ? this.#content : undefined
      const reply = await UploadReply.open(settings, path, line)
      return await this.#transfer(settings, file, line, reply).finally(() => reply.close())
    } finally {
      await file.close()
    }
  }

  async #transfer(
    settings: ClientSettings,
    file: UploadSource,
    line: RequestOptions,
    reply: UploadReply,
  ): Promise<UploadResult> {
    const state = settings.resume
    const tools: UploadContext = {
      settings,
      file,
      reply,
      send: sendDigest(
        packetSender(line, settings.common, (start, end) => file.read(start, end)),
        file,
        settings,
      ),
      explain: (error) => wrongScheme(error, settings),
      host: new UploadHost(settings.url, settings.followHostId ? state : undefined),
      retryBudget: new RetryBudget(settings, state?.offset ?? 0),
      reporter: new Reporter({ ...settings, onState: (news) => this.#keep(news) }),
      contentName: file.name === undefined ? undefined : contentNameOf(file.name),
    }
    const session = new UploadSession(tools)
    await runUpload(session, tools).finally(() => {
      this.#state = session.state
    })
    this.#state = undefined
    return { ...session.result(), ...(reply.content && { reply: reply.content }) }
  }

  #keep(state: UploadState): void {
    this.#state = state
    this.#settings.onState?.(state)
  }

  /** The caller will receive the error that led here; this one goes to `onFailure`. */
  async #tryToCancel(): Promise<void> {
    try {
      await this.cancel()
    } catch (error) {
      if (!(error instanceof BitsClientError)) throw error
      this.#settings.onFailure?.({ error, failures: 1, delay: undefined })
    }
  }

  /** Runs one task at a time, with a connection that is closed afterwards. */
  async #alone<T>(use: (line: RequestOptions) => Promise<T>): Promise<T> {
    if (this.#running) throw new Error('This upload is running; to stop it, abort its signal.')
    this.#running = true
    const { agent: given, url, tls, signal, authenticate, sendTimeout, responseTimeout } = this.#settings
    const Agent = url.protocol === 'https:' ? HttpsAgent : HttpAgent
    const agent = given ?? new Agent({ keepAlive: true, maxSockets: 1 })
    try {
      return await use({
        agent,
        sendTimeout,
        responseTimeout,
        ...(tls && { tls }),
        ...(signal && { signal }),
        ...(authenticate && { authenticate }),
      })
    } finally {
      this.#running = false
      if (!given) agent.destroy()
    }
  }
}
