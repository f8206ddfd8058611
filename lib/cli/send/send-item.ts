import { BitsClientError, UploadJob, type UploadOptions } from 'express-bits-upload/client'
import type { SendFlags } from './flags.js'
import type { Item } from './items.js'
import { failureOf, giveReply } from './outcome.js'
import { averageRate, readable, startProgress } from './progress.js'
import type { EnvironmentProxy } from './proxy.js'
import { replyFile } from './reply-to.js'
import { stateToResume } from './resume.js'
import { SavedState } from './saved-state.js'

/** State shared by the uploads of one command. */
export interface SendContext {
  readonly flags: SendFlags
  /** Headers, certificates, the agent. */
  readonly request: UploadOptions
  readonly proxy: EnvironmentProxy | undefined
  readonly signal: AbortSignal
  /** Several files are sent: those already sent are remembered until all are. */
  readonly several: boolean
}

/**
 * Sends one file, and prints its progress and outcome.
 *
 * @throws CliError when it was not sent, or the reason of `signal`.
 */
export async function sendItem({ file, url, name }: Item, context: SendContext): Promise<void> {
  const { flags, request, signal, several } = context
  const progress = startProgress(flags.quiet === true)
  const note = (line: string): void => {
    if (!flags.quiet) progress.say(line)
  }
  const saved = new SavedState(file, url, (message) => progress.say(`warning: ${message}`))
  const restart = flags.restart === true
  if (several && !restart && saved.wasSent()) {
    note(`${name} was sent before; use --restart to send it again.`)
    return
  }
  const resume = await stateToResume({ file, url, saved, request, restart }, note)
  const rateOf = averageRate(resume?.offset ?? 0)
  const job = new UploadJob(file, url, {
    ...request,
    ...clientUploadOptions(flags),
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
    if (several) saved.markSent()
    else saved.remove()
    note(`Sent ${name}: ${readable(result.bytes)}, ${readable(rateOf(result.bytes))}/s.`)
    const line = giveReply(result, flags)
    if (line !== undefined) note(line)
  } catch (error) {
    progress.stop()
    if (job.state) saved.write(job.state)
    // After a local error, an earlier state is still valid.
    else if (error instanceof BitsClientError && error.packet) saved.remove()
    throw failureOf(error, { resumed: resume !== undefined, proxy: context.proxy })
  }
}

/** Maps flags to options of the client. */
export const clientUploadOptions = (flags: SendFlags): UploadOptions => ({
  fragmentSize: flags.fragmentSize,
  retries: flags.retries,
  digest: flags.digest,
  replyTo: replyFile(flags),
})
