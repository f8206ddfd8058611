import { type RedisConnection, scriptConnection } from './connection.js'

interface EvalOptions {
  keys: string[]
  arguments: string[]
}

/** The part of a client of the package `redis` (5 or 6) that is used. */
export interface NodeRedisClient {
  evalSha(sha1: string, options: EvalOptions): Promise<unknown>
  eval(script: string, options: EvalOptions): Promise<unknown>
}

/**
 * For clients of the package `redis` (node-redis) 5 and 6.
 *
 * @param client from `createClient`, `createClientPool`, `createCluster` or `createSentinel`, which you connect and
 *   close.
 */
export function fromRedis(client: NodeRedisClient): RedisConnection {
  return scriptConnection(
    (sha1, keys, args) => client.evalSha(sha1, { keys: [...keys], arguments: [...args] }),
    (script, keys, args) => client.eval(script, { keys: [...keys], arguments: [...args] }),
  )
}
