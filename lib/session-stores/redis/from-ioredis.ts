import { type RedisConnection, scriptConnection } from './connection.js'

/** The part of a client of the package `ioredis` (5 or 6) that is used. */
export interface IoredisClient {
  evalsha(sha1: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
  eval(script: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
}

/**
 * For clients of the package `ioredis` 5 and 6.
 *
 * @param client a `Redis` (also one that uses Sentinel) or a `Cluster`, which you close.
 */
export function fromIoredis(client: IoredisClient): RedisConnection {
  return scriptConnection(
    (sha1, keys, args) => client.evalsha(sha1, keys.length, ...keys, ...args),
    (script, keys, args) => client.eval(script, keys.length, ...keys, ...args),
  )
}
