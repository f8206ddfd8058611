import { basename } from 'node:path'
import { BitsClientError, UploadJob, type UploadOptions } from 'express-bits-upload/client'
import { namingFlag } from '../option-flags.js'
import { EXIT, exitCodeOf } from '../output.js'
import { listenForSignals } from '../signals.js'
import { destinationUrl, isLocal } from './destination.js'
import type { SendFlags } from './flags.js'
import { failureOf, giveReply } from './outcome.js'
import { averageRate, type ProgressBar, readable, startProgress } from './progress.js'
import { checkReplyTo, replyFile } from './reply-to.js'
import { requestOptions } from './request-options.js'
import { stateToResume } from './resume.js'
import { SavedState } from './saved-state.js'

/**
 * Sends a file.
 *
 * @returns the exit code.
 * @throws Failure when it was not sent.
 */
export async function send(file: string, destination: string, flags: SendFlags): Promise<number> {
  const url = destinationUrl(file, destination)
  const progress = startProgress(flags.quiet === true)
  const note = (line: string) => {
    if (!flags.quiet) progress.say(line)
  }
  const request = await requestOptions(flags, url)
  checkSendOptions(file, url, { ...request, ...howToSend(flags) })
  await checkReplyTo(file, flags)
  if (url.protocol === 'http:' && (flags.user !== undefined || url.password !== '') && !isLocal(url)) {
    note('warning: the password goes unencrypted; see https.')
  }
  const stop = listenForSignals()
  try {
    await upload({ file, url, flags, request, signal: stop.signal, progress, note })
    return EXIT.done
  } catch (error) {
    progress.stop()
    const signal = stop.first()
    if (!signal) throw error
    note('Stopped. The same command goes on from here.')
    return exitCodeOf(signal)
  }
}

interface Task {
  readonly file: string
  readonly url: URL
  readonly flags: SendFlags
  /** What requests need. */
  readonly request: UploadOptions
  readonly signal: AbortSignal
  readonly progress: ProgressBar
  /** Says what is of no interest to the quiet. */
  readonly note: (line: string) => void
}

async function upload({ file, url, flags, request, signal, progress, note }: Task): Promise<void> {
  const saved = new SavedState(file, url, (message) => progress.say(`warning: ${message}`))
  const restart = flags.restart === true
  const resume = await stateToResume({ file, url, saved, request, restart }, note)
  const rateOf = averageRate(resume?.offset ?? 0)
  const job = new UploadJob(file, url, {
    ...request,
    ...howToSend(flags),
    resume,
    signal,
    cancelOnAbort: false,
    onState: (state) => saved.write(state),
    onProgress: ({ sent, total }) => progress.update(sent, total),
    onFailure: ({ error, delay }) => {
      if (delay !== undefined) note(`${error.message} Trying again in ${(delay / 1000).toFixed(1)} s.`)
    },
  })
  try {
    const result = await job.run()
    progress.stop()
    saved.remove()
    note(`Sent ${basename(file)}: ${readable(result.bytes)}, ${readable(rateOf(result.bytes))}/s.`)
    const word = giveReply(result, flags)
    if (word !== undefined) note(word)
  } catch (error) {
    if (job.state) saved.write(job.state)
    // Else, with a fault of this machine, an earlier state is as good as it was.
    else if (error instanceof BitsClientError && error.packet) saved.remove()
    throw failureOf(error, resume !== undefined)
  }
}

const howToSend = (flags: SendFlags): UploadOptions => ({
  fragmentSize: flags.fragmentSize,
  retries: flags.retries,
  replyTo: replyFile(flags),
})

function checkSendOptions(file: string, url: URL, options: UploadOptions): void {
  try {
    new UploadJob(file, url, options)
  } catch (error) {
    throw namingFlag(error)
  }
}
