import { type Check, checkEach, type OptionChecks } from '../../validation/check-options.js'
import { isInteger, objectWith } from '../../validation/value-checks.js'
import type { RedisConnection } from './connection.js'

/** Options of a {@link RedisSessionStore}. `undefined` means the default. */
export interface RedisSessionStoreOptions {
  /** `fromRedis(client)` or `fromIoredis(client)`. You connect and close the client. */
  redis: RedisConnection
  /** Prefix of all keys. Applications that share a Redis need different ones. Default: `bits`. */
  prefix?: string | undefined
  /**
   * Seconds after which Redis forgets a session that has not changed. Choose more than `sessionTimeout`, whose expiry
   * removes the received bytes too. Default: 2,592,000 (30 days).
   */
  ttl?: number | undefined
  /** Milliseconds after which the lock of a dead process expires. From 2,000. Default: 10,000. */
  lease?: number | undefined
  /** Milliseconds to wait for Redis to respond; after that, the packet gets 503. Default: 5,000. */
  timeout?: number | undefined
  /**
   * Number of parts into which the indices are divided: at least one per node of a cluster, and one per 50,000 open
   * sessions. All processes must use the same number; changing it loses sessions. Default: 16.
   */
  shards?: number | undefined
}

/** Braces would decide the slots of a cluster. */
const isKeyPrefix: Check = (value) =>
  typeof value === 'string' && /^[\w:.-]{1,100}$/.test(value)
    ? undefined
    : 'a string of letters, digits and :._-, of at most 100 characters'

const REDIS_OPTIONS: OptionChecks<RedisSessionStoreOptions> = {
  redis: objectWith({ run: true }, 'fromRedis(client) or fromIoredis(client)'),
  prefix: isKeyPrefix,
  ttl: (value) => isInteger(value, 'seconds', 60, 10 * 365 * 24 * 60 * 60),
  lease: (value) => isInteger(value, 'milliseconds', 2_000, 600_000),
  timeout: (value) => isInteger(value, 'milliseconds', 1, 600_000),
  shards: (value) => isInteger(value, 'shards', 1, 1024),
}

/** {@link RedisSessionStoreOptions} with their defaults; `ttl` in milliseconds. */
export type RedisSettings = {
  readonly [Name in keyof RedisSessionStoreOptions]-?: NonNullable<RedisSessionStoreOptions[Name]>
}

/** @throws OptionError when an option is invalid. */
export function redisSettings(options: RedisSessionStoreOptions): RedisSettings {
  checkEach({ name: 'RedisSessionStore', checks: REDIS_OPTIONS, required: ['redis'] }, options)
  return {
    redis: options.redis,
    prefix: options.prefix ?? 'bits',
    ttl: (options.ttl ?? 30 * 24 * 60 * 60) * 1000,
    lease: options.lease ?? 10_000,
    timeout: options.timeout ?? 5_000,
    shards: options.shards ?? 16,
  }
}
