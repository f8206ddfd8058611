import { createHash } from 'node:crypto'

/** A script that Redis runs atomically. */
export interface RedisScript {
  /** For messages. */
  readonly name: string
  readonly source: string
  /** SHA-1 of the source, by which Redis knows it. */
  readonly sha1: string
}

/**
 * What a {@link RedisSessionStore} needs from a Redis client; `fromRedis` and `fromIoredis` provide it. The keys of one
 * call are in one slot of a cluster.
 */
export interface RedisConnection {
  run(script: RedisScript, keys: readonly string[], args: readonly string[]): Promise<unknown>
}

/** How a client runs a script. */
export type EvaluateScript = (
  script: string,
  keys: readonly string[],
  args: readonly string[],
) => Promise<unknown>

export const redisScript = (name: string, source: string): RedisScript => ({
  name,
  source,
  sha1: createHash('sha1').update(source).digest('hex'),
})

/** Runs scripts by their hash, and sends the whole script to a server that does not know it yet. */
export function scriptConnection(evaluateHash: EvaluateScript, evaluate: EvaluateScript): RedisConnection {
  return {
    async run({ sha1, source }, keys, args) {
      try {
        return await evaluateHash(sha1, keys, args)
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        return evaluate(source, keys, args)
      }
    },
  }
}

const isUnknownScript = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && String(Reflect.get(error, 'message')).startsWith('NOSCRIPT')
