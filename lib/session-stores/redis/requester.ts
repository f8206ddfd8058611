import { serviceUnavailable } from '../../protocol/unavailable.js'
import { DeadlineError, withDeadline } from '../../util/deadline.js'
import { asError } from '../../util/errors.js'
import type { RedisConnection, RedisScript } from './connection.js'

/** Runs a script. @throws BitsError 503 when Redis refuses it, or does not respond in time. */
export type RunScript = (
  script: RedisScript,
  keys: readonly string[],
  args?: readonly (string | number)[],
) => Promise<unknown>

/**
 * Clients queue commands while they have no connection, possibly forever, so each command has a time limit.
 *
 * @param timeout milliseconds.
 */
export function scriptRunner(redis: RedisConnection, timeout: number): RunScript {
  return async (script, keys, args = []) => {
    try {
      return await withDeadline(redis.run(script, keys, args.map(String)), timeout, () => {})
    } catch (error) {
      const failed = `RedisSessionStore: the script "${script.name}" failed.`
      if (error instanceof DeadlineError) {
        throw serviceUnavailable(`${failed} Redis did not answer within ${timeout} ms.`)
      }
      throw serviceUnavailable(`${failed} Redis: ${asError(error).message}`, { cause: error })
    }
  }
}

/** Clients can be configured to return strings as buffers, and numbers as strings. */
export const replyText = (reply: unknown): string | undefined =>
  reply === null || reply === undefined || reply === false ? undefined : String(reply)

export const replyTexts = (reply: unknown): string[] => (Array.isArray(reply) ? reply.map(String) : [])
