import { CANCEL_TIMEOUT, sendCancelSession } from '../uploader/cancel-session.js'
import { Reporter } from '../uploader/reporter.js'
import { RetryBudget } from '../uploader/retry-budget.js'
import { runUpload } from '../uploader/run-upload.js'
import { UploadHost } from '../uploader/target-host.js'
import type { UploadContext } from '../uploader/upload-context.js'
import { UploadSession } from '../uploader/upload-session.js'
import type { BrowserUploadOptions, BrowserUploadResult } from './options.js'
import { BrowserReply } from './reply.js'
import { isFile, StoredUploadState } from './saved-state.js'
import { fetchPacketSender } from './send-packet.js'
import { browserSettingsOf } from './settings.js'

/**
 * Uploads a file from a page, with `fetch()` and the verb `BITS_POST`, and fetches the reply if there is one. After a
 * broken connection, a restart of the server or a reload of the page it continues at the server's offset.
 *
 * A server on another origin must allow it (CORS). It answers the preflight with `Access-Control-Allow-Origin`,
 * `Access-Control-Allow-Methods: BITS_POST`, `Access-Control-Allow-Headers: BITS-Packet-Type, BITS-Supported-Protocols,
 * BITS-Session-Id, Content-Range` and those of `headers`; and it names `BITS-Packet-Type, BITS-Protocol,
 * BITS-Session-Id, BITS-Received-Content-Range, BITS-Reply-URL, BITS-Host-Id, BITS-Host-Id-Fallback-Timeout,
 * BITS-Error-Code, BITS-Error, BITS-Error-Context` in `Access-Control-Expose-Headers` of every response.
 *
 * @param file what the user chose, or a Blob.
 * @param url destination: the file's URL on the server, relative to the page if necessary.
 * @throws TypeError for invalid options; BitsClientError when the upload fails; the reason of `signal` when that
 * aborts.
 * @example await uploadFile(input.files[0], '/uploads/report.pdf', { onProgress: ({ acknowledged }) => show(acknowledged) })
 */
export async function uploadFile(
  file: Blob,
  url: string | URL,
  options: BrowserUploadOptions = {},
): Promise<BrowserUploadResult> {
  const settings = browserSettingsOf(file, url, options)
  const { signal, cancelOnAbort, resume, onFailure } = settings
  const saved = new StoredUploadState(file, settings.url, settings.storage)
  signal?.throwIfAborted()
  let state = resume ? saved.read() : undefined
  // The state of another file is no longer usable; its session expires by itself.
  if (!state) saved.remove()
  const host = new UploadHost(settings.url, settings.followHostId ? state : undefined)
  const context = {
    settings: { ...settings, resume: state },
    file: {
      size: file.size,
      modified: isFile(file) ? file.lastModified : 0,
      // The size and date of a File never change: if the file on disk changes, it can no longer be read.
      assertUnchanged: async () => {},
    },
    reply: new BrowserReply(settings),
    send: fetchPacketSender(file, settings, signal),
    host,
    retryBudget: new RetryBudget(settings, state?.offset ?? 0),
    reporter: new Reporter({
      ...settings,
      onState(next) {
        state = next
        if (resume) saved.write(next)
      },
    }),
    // Servers ignore it.
    contentName: undefined,
  }
  try {
    const result = await upload(context)
    saved.remove()
    return result
  } catch (error) {
    if (!signal?.aborted) throw error
    if (cancelOnAbort && state) {
      saved.remove()
      const send = fetchPacketSender(file, { ...settings, requestTimeout: CANCEL_TIMEOUT }, undefined)
      await sendCancelSession(send, host.url, state.sessionId).catch((failure) =>
        onFailure?.({ error: failure, failures: 1, delay: undefined }),
      )
    }
    throw signal.reason
  }
}

async function upload(context: UploadContext & { reply: BrowserReply }): Promise<BrowserUploadResult> {
  const session = new UploadSession(context)
  await runUpload(session, context)
  const { content } = context.reply
  return { ...session.result(), ...(content && { reply: content }) }
}
