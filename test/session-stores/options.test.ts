import { expect, test } from '@jest/globals'
import { OptionError } from 'express-bits-upload'
import { PostgresSessionStore } from 'express-bits-upload/postgres'
import { RedisSessionStore, redisLock } from 'express-bits-upload/redis'
import { S3Storage } from 'express-bits-upload/s3'
import { PlainSessionStore } from '../testing/plain-session-store.js'

const run = async () => {}
const pool = { query: run, connect: run }
const client = { send: run, config: {} }

const TAKERS = {
  RedisSessionStore: (options: unknown) => Reflect.construct(RedisSessionStore, [options]),
  PostgresSessionStore: (options: unknown) => Reflect.construct(PostgresSessionStore, [options]),
  S3Storage: (options: unknown) => Reflect.construct(S3Storage, [options]),
  redisLock: (options: unknown) => Reflect.apply(redisLock, undefined, [new PlainSessionStore(), options]),
}

test.each<[name: keyof typeof TAKERS, options: unknown, option: string | undefined, expected: RegExp]>([
  ['RedisSessionStore', undefined, undefined, /^an object/],
  ['RedisSessionStore', {}, 'redis', /^fromRedis\(client\) or fromIoredis\(client\)/],
  ['RedisSessionStore', { redis: {} }, 'redis', /^fromRedis\(client\) or fromIoredis\(client\)/],
  ['RedisSessionStore', { redis: { run }, prefix: 'a{b}' }, 'prefix', /letters, digits/],
  ['RedisSessionStore', { redis: { run }, ttl: 59 }, 'ttl', /^a whole number of seconds, from 60/],
  ['RedisSessionStore', { redis: { run }, ttl: '3600' }, 'ttl', /^a whole number of seconds/],
  ['RedisSessionStore', { redis: { run }, lease: 1_999 }, 'lease', /milliseconds, from 2000/],
  ['RedisSessionStore', { redis: { run }, timeout: 0 }, 'timeout', /milliseconds, from 1/],
  ['RedisSessionStore', { redis: { run }, shards: 1025 }, 'shards', /from 1 to 1024/],
  ['PostgresSessionStore', {}, 'pool', /^a Pool of the package pg/],
  ['PostgresSessionStore', { pool: {} }, 'pool', /^a Pool of the package pg/],
  ['PostgresSessionStore', { pool, table: 'Bits' }, 'table', /lower-case letters/],
  ['PostgresSessionStore', { pool, table: 'x; drop table y' }, 'table', /lower-case letters/],
  ['PostgresSessionStore', { pool, lease: 0 }, 'lease', /milliseconds, from 2000/],
  ['PostgresSessionStore', { pool, timeout: 0.5 }, 'timeout', /milliseconds, from 1/],
  ['S3Storage', {}, 'client', /^an S3Client of @aws-sdk\/client-s3/],
  ['S3Storage', { client, bucket: '' }, 'bucket', /^a name/],
  ['S3Storage', { client, bucket: 'b', stagingPrefix: 'x' }, 'stagingPrefix', /slash/],
  ['S3Storage', { client, bucket: 'b', segmentSize: 1 }, 'segmentSize', /bytes, from 5242880/],
  ['S3Storage', { client, bucket: 'b', maxBuffered: -1 }, 'maxBuffered', /bytes, from/],
  ['S3Storage', { client, bucket: 'b', concurrency: 0 }, 'concurrency', /from 1/],
  ['S3Storage', { client, bucket: 'b', timeout: 0 }, 'timeout', /milliseconds, from 1/],
  ['S3Storage', { client, bucket: 'b', assemble: 'both' }, 'assemble', /^'copy' or 'stream'/],
  ['S3Storage', { client, bucket: 'b', key: 'x' }, 'key', /function/],
  ['S3Storage', { client, bucket: 'b', exclusive: true }, 'exclusive', /function/],
  ['redisLock', { timeout: -1 }, 'timeout', /milliseconds, from 0/],
  ['redisLock', { timeout: '5' }, 'timeout', /milliseconds, from 0/],
])('%s refuses %j with an OptionError that names %s', (name, options, option, expected) => {
  let error: unknown
  try {
    TAKERS[name](options)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(OptionError)
  expect(error).toMatchObject({ option, expected: expect.stringMatching(expected) })
})
