import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { runCli } from '../../lib/cli/run-cli.js'
import { redisUrl } from '../../lib/cli/serve/stores/redis-url.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()
const HAS_SECRET = 'redis://user:s3cret@127.0.0.1:6379/0'

describe('serve with S3 and Redis', () => {
  let out = ''
  let err = ''
  beforeEach(() => {
    out = ''
    err = ''
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text)
      return true
    })
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += String(text)
      return true
    })
  })
  afterEach(() => {
    jest.restoreAllMocks()
  })
  const check = (...words: string[]) => runCli(['node', 'x', 'serve', ...words, '--check'])
  const shownFor = (name: string) => new RegExp(`^${name} +(.*)$`, 'm').exec(out)?.[1]

  test.each([
    ['', /^error: missing required argument 'directory'$/],
    ['a --s3-bucket b', /^error: uploads go into a directory or into --s3-bucket: use only one of them\.$/],
    ['a --s3-prefix p', /^error: --s3-prefix is for uploads in S3: use --s3-bucket, too\.$/],
    ['a --s3-path-style', /^error: --s3-path-style is for uploads in S3: use --s3-bucket, too\.$/],
    ['a --s3-assemble copy', /^error: --s3-assemble is for uploads in S3: use --s3-bucket, too\.$/],
    [
      '--s3-bucket b --s3-assemble join',
      /--s3-assemble <how>' argument 'join' is invalid\. .* copy, stream\.$/m,
    ],
    [
      '--s3-bucket b --read',
      /^error: --read serves files of a directory: with --s3-bucket, have your users read/,
    ],
    [
      '--s3-bucket b --list',
      /^error: --list serves files of a directory: with --s3-bucket, have your users read/,
    ],
    [
      '--s3-bucket b --shared',
      /^error: --shared is for servers that share a directory: .* use --redis instead\.$/,
    ],
    ['--s3-bucket b --durability fragment', /^error: --durability is for directories: S3 keeps every/],
    [
      '--s3-bucket b --no-create-directories',
      /^error: --no-create-directories is for directories, which S3 /,
    ],
    [
      '--s3-bucket b --s3-prefix a//b',
      /^error: --s3-prefix is "a\/\/b": use a folder of letters, digits and/,
    ],
    [
      '--s3-bucket b --s3-endpoint localhost:9000',
      /^error: --s3-endpoint is "localhost:9000": use an http: or/,
    ],
    [
      '--s3-bucket b --notify-url http://app/',
      /^error: a notification by reference names the path of a file, .* use --notify-type by-value\.$/,
    ],
    [
      '--s3-bucket b --iis BITSServerNotificationType=1 --iis BITSServerNotificationURL=http://app/',
      /^error: a notification by reference names the path of a file, /,
    ],
    ['a --redis-prefix p', /^error: --redis-prefix is for sessions in Redis: use --redis, too\.$/],
    [
      'a --shared --redis redis://h',
      /^error: --shared keeps the sessions in the directory, --redis in Redis: /,
    ],
    [
      'a --redis redis://h --redis-prefix {a}',
      /^error: --redis-prefix is "\{a\}": use a string of letters, digits/,
    ],
    ['a --redis http://h', /^error: --redis is "http:\/\/h": use a URL like redis:\/\/host:6379 or/],
  ])('serve %s exits with 2 and one sentence', async (words, expected) => {
    expect(await check(...words.split(' ').filter((word) => word !== ''))).toBe(2)
    expect(err.trim()).toMatch(expected)
  })

  test.each([
    'http://user:s3cret@h',
    'redis://user:s3cret@h:port',
    'redis://user:s3%ret@h',
    'redis://user:s3cret@h/database',
    'user:s3cret@h',
    'redis://:s3cret@',
  ])('no message shows the password of %s', async (url) => {
    const wrong = url.replace('s3%ret', 's3cret%')
    expect(await check('a', '--redis', wrong)).toBe(2)
    expect(err).toMatch(/^error: --redis is "/)
    expect(out + err).not.toContain('s3cret')
  })

  test('--check prints the effective options, and masks the password', async () => {
    const words = ['--s3-bucket', 'b', '--s3-prefix', 'inbox', '--s3-region', 'us-east-1', '--s3-path-style']
    words.push('--s3-assemble', 'stream')
    expect(await check(...words, '--redis', HAS_SECRET)).toBe(0)
    const names = ['directory', '--s3-bucket', '--s3-prefix', '--s3-path-style', '--s3-assemble', '--redis']
    expect(names.map(shownFor)).toEqual(['-', 'b', 'inbox', 'yes', 'stream', 'redis://…@127.0.0.1:6379/0'])
    expect(out + err).not.toContain('s3cret')
  })

  test('--config also sets them', async () => {
    const file = join(await directory(), 'server.json')
    const config = { 's3-bucket': 'b', 's3-path-style': true, redis: HAS_SECRET, 'redis-prefix': 'fleet' }
    await writeFile(file, JSON.stringify(config))
    expect(await check('--config', file)).toBe(0)
    const names = ['--s3-bucket', '--s3-path-style', '--redis', '--redis-prefix']
    expect(names.map(shownFor)).toEqual(['b', 'yes', 'redis://…@127.0.0.1:6379/0', 'fleet'])
    await writeFile(file, JSON.stringify({ ...config, directory: 'in' }))
    expect(await check('--config', file)).toBe(2)
    expect(err).toContain('uploads go into a directory or into --s3-bucket')
    expect(out + err).not.toContain('s3cret')
  })
})

test('a password in the environment is used when the URL has none', () => {
  const env = { REDIS_PASSWORD: 'p@ss/wörd' }
  expect(redisUrl('redis://h:6379', env)).toBe('redis://:p%40ss%2Fw%C3%B6rd@h:6379')
  expect(redisUrl('rediss://user@h/1', env)).toBe('rediss://user:p%40ss%2Fw%C3%B6rd@h/1')
  expect(redisUrl('redis://:own@h', env)).toBe('redis://:own@h')
  expect(redisUrl('redis://h', {})).toBe('redis://h')
})
