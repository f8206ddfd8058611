import { BitsClientError } from './client-error.js'
import { reactionTo } from './retry-policy.js'
import { sleep } from './sleep.js'
import type { UploadContext } from './upload-context.js'
import type { Step, UploadSession } from './upload-session.js'

type Helpers = Pick<UploadContext, 'settings' | 'host' | 'retryBudget' | 'reporter' | 'explain'>

/**
 * An upload from Create-Session, or from a Ping when it is resumed, to Close-Session, with everything that may happen
 * in between.
 */
export async function runUpload(session: UploadSession, helpers: Helpers): Promise<void> {
  const { settings } = helpers
  let step: Step | 'done' = session.state ? 'ping' : 'create'
  for (let first = true; step !== 'done'; first = false) {
    try {
      step = await session.perform(step)
    } catch (error) {
      settings.signal?.throwIfAborted()
      if (!(error instanceof BitsClientError)) throw error
      const reason = first ? await helpers.explain?.(error) : undefined
      step = await recover(reason ?? error, session, helpers)
    }
  }
}

/** The state ERROR of MC-BUP 3.1.5.1.7. @returns how to continue; throws the error when that is impossible. */
async function recover(error: BitsClientError, session: UploadSession, helpers: Helpers): Promise<Step> {
  const { host, retryBudget, reporter, settings } = helpers
  const reaction = reactionTo(error)
  host.failed()
  const delay = retryBudget.delayAfter(error)
  const wait = delay === undefined ? undefined : Math.min(delay, host.untilFallback())
  reporter.failure({ error, failures: retryBudget.failures, delay: wait })
  if (wait === undefined) throw error
  if (reaction === 'smaller-fragment') return 'fragment'
  if (reaction === 'restart') await session.forget()
  await sleep(wait, settings.signal)
  if (host.fallBackIfDue()) retryBudget.reset()
  // Windows, too, sends a Ping to find out whether the connection is back (MC-BUP <9>); without a session there is nothing to resume.
  return session.state ? 'ping' : 'create'
}
