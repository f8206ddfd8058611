import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Command } from 'commander'
import { runCli } from '../../lib/cli/run-cli.js'
import { addServeCommand } from '../../lib/cli/serve/command.js'
import { keyOf, scopeOf } from '../../lib/cli/serve/config/option-scope.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

describe('serve --config', () => {
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

  async function check(config: unknown, ...words: string[]): Promise<{ exitCode: number; folder: string }> {
    const folder = await directory()
    const file = join(folder, 'server.json')
    await writeFile(join(folder, 'users'), 'alice:{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00=\n')
    await mkdir(join(folder, 'real'))
    await symlink('real', join(folder, 'link'))
    await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
    const exitCode = await runCli(['node', 'x', 'serve', ...words, '--config', file, '--check'])
    return { exitCode, folder }
  }
  /** The value of the line with this name. */
  const shownFor = (name: string) => new RegExp(`^${name} +(.*)$`, 'm').exec(out)?.[1]

  test('sets options like the command line does, with paths relative to the file', async () => {
    const { exitCode, folder } = await check({
      directory: 'in',
      'max-upload-size': '1GB',
      port: 9000,
      list: true,
      overwrite: false,
      htpasswd: 'users',
      'access-log': '-',
      'create-directories': false,
      iis: ['BITSNumberOfSessionsLimit=7'],
      'log-format': 'bits',
    })
    expect(err).toBe('')
    expect(exitCode).toBe(0)
    const shown = ['directory', '--max-upload-size', '--port', '--list', '--overwrite', '--htpasswd'].map(
      shownFor,
    )
    const users = join(folder, 'users')
    expect(shown).toEqual([join(folder, 'in'), '1,073,741,824 bytes', '9000', 'yes', 'no', users])
    expect(shownFor('--access-log')).toBe('-')
    expect(shownFor('--create-directories')).toBe('no')
    expect(shownFor('--max-sessions-per-user')).toBe('7')
    expect(shownFor('--log-format')).toBe('bits')
  })

  test('is overridden by the command line', async () => {
    const words = ['elsewhere', '--port', '9001']
    const { exitCode } = await check({ directory: 'in', port: 9000, 'max-upload-size': 5 }, ...words)
    expect(exitCode).toBe(0)
    expect(shownFor('directory')).toMatch(/\/elsewhere$/)
    expect(shownFor('--port')).toBe('9001')
    expect(shownFor('--max-upload-size')).toBe('5 bytes')
  })

  test.each([
    [{ maxUploadSize: 1 }, /there is no key "maxUploadSize": did you mean "max-upload-size"\?$/],
    [{ nonsense: 1 }, /there is no key "nonsense": the keys are directory, directories, host, port, /],
    [{ check: true }, /there is no key "check": /],
    ['{"__proto__": 1}', /there is no key "__proto__": /],
    [{ 'max-upload-size': 'ten' }, /"max-upload-size" is "ten": Use bytes, or a number with KB/],
    [{ port: null }, /"port" is null: use a string\.$/],
    [{ list: 'yes' }, /"list" is "yes": use true or false\.$/],
    [{ iis: [5] }, /"iis" is an object of class Array: use a string, or a list of strings\.$/],
    [{ realm: 5 }, /"realm" is 5: use a string\.$/],
    [{ durability: 'always' }, /"durability" is "always": Allowed choices are none, publish, fragment\.$/],
    [{ directory: '' }, /"directory" is "": use a path\.$/],
    [{ directory: 'a', 'session-timeout': 0 }, /--session-timeout is 0: use a number of seconds above 0\.$/],
    [{}, /missing required argument 'directory'$/],
    ['{', /it is not JSON; it should hold an object like/],
    ['[]', /it is not a JSON object/],
  ])('refuses %j', async (config, sentence) => {
    expect((await check(config)).exitCode).toBe(2)
    expect(err.trimEnd()).toMatch(sentence)
    expect(out).toBe('')
  })

  test('lists several directories: each has its values, then those of the file, and the command line wins', async () => {
    const config = {
      overwrite: true,
      realm: 'All',
      'max-upload-size': 5,
      metrics: true,
      directories: [
        { path: 'one/', directory: 'in', overwrite: false, iis: 'BITSNumberOfSessionsLimit=7' },
        { path: '/two', directory: '/srv/two', 'max-upload-size': '6', realm: 'Two' },
      ],
    }
    const { exitCode, folder } = await check(config, '--max-upload-size', '9')
    expect([exitCode, err]).toEqual([0, ''])
    const [server = '', one = '', two = '', another] = out.split('\n\n')
    expect(another).toBeUndefined()
    const values = (text: string, names: readonly string[]) =>
      names.map((name) => new RegExp(`^${name} +(.*)$`, 'm').exec(text)?.[1])
    const names = ['directory', '--path', '--overwrite', '--realm', '--max-upload-size', '--port']
    expect(values(server, names)).toEqual([undefined, undefined, undefined, 'All', undefined, '8080'])
    expect(values(one, names)).toEqual([join(folder, 'in'), '/one', 'no', 'All', '9 bytes', undefined])
    expect(values(two, names)).toEqual(['/srv/two', '/two', 'yes', 'Two', '9 bytes', undefined])
    expect(values(one, ['--max-sessions-per-user'])).toEqual(['7'])
    expect(values(two, ['--max-sessions-per-user'])).toEqual(['unlimited'])
  })

  const two = (one: object, other: object, rest: object = {}) => ({
    ...rest,
    directories: [
      { path: '/a', directory: 'a', ...one },
      { path: '/b', directory: 'b', ...other },
    ],
  })
  const S3 = { 's3-bucket': 'in', 's3-region': 'eu-central-1' }

  test.each([
    [{ directories: [] }, /json: "directories" is an empty list: use a list like \[/],
    [{ directories: {} }, /json: "directories" is an object: use a list like \[/],
    [{ directories: ['a'] }, /json: directories\[0\] is "a": use an object, as in \[/],
    [{ directories: [{ directory: 'a' }, null] }, /json: directories\[1\] is null: use an object/],
    [two({ port: 1 }, {}), /directories\[0\]: "port" is for the whole server: move it out of "directories"/],
    [two({}, { 'tls-pfx': 'a' }), /directories\[1\]: "tls-pfx" is for the whole server/],
    [two({ live: true }, {}), /directories\[0\]: "live" is for the whole server/],
    [
      two({ maxUploadSize: 1 }, {}),
      /directories\[0\]: there is no key "maxUploadSize": did you mean "max-upl/,
    ],
    [
      two({ nonsense: 1 }, {}),
      /directories\[0\]: there is no key "nonsense": the keys are directory, htpasswd, /,
    ],
    [two({ check: true }, {}), /directories\[0\]: there is no key "check": /],
    [two({}, { 'max-upload-size': 'ten' }), /directories\[1\]: "max-upload-size" is "ten": Use bytes/],
    [two({ directory: 1 }, {}), /directories\[0\]: "directory" is 1: use a path\.$/],
    [
      { directories: [{ path: '/a' }] },
      /directories\[0\] has no place for its files: use "directory", or "s3-b/,
    ],
    [
      two({ 'session-timeout': 0 }, {}),
      /json: directories\[0\] \(\/a\): --session-timeout is 0: use a number/,
    ],
    [two({}, { iis: 'Nonsense=1' }), /json: directories\[1\] \(\/b\): IIS properties.*Nonsense/],
    [
      two({ 'on-upload': './none' }, {}),
      /directories\[0\] \(\/a\): --on-upload .*: there is no such file\.$/,
    ],
    [two({}, { 'trust-session-id': true }), /directories\[1\] \(\/b\): --trust-session-id is for clients/],
    [two({ path: '/B' }, {}), /directories\[0\] \(\/B\) and directories\[1\] \(\/b\) have the same "path"/],
    [
      two({ path: '/b/c' }, {}),
      /\(\/b\/c\) and directories\[1\] \(\/b\) are nested: neither "path" may be below/,
    ],
    [two({ path: '/' }, {}), /directories\[0\] \(\/\) and directories\[1\] \(\/b\) are nested/],
    [
      two({ directory: './b' }, {}),
      /\(\/a\) and directories\[1\] \(\/b\) have the same directory, .*\/b: give each/,
    ],
    [
      two({ directory: 'b/c' }, {}),
      /have directories that are the same or inside one another, .*\/b\/c and .*\/b: /,
    ],
    [
      two({ directory: 'link' }, { directory: 'real/sub' }),
      /inside one another, .*\/link and .*\/real\/sub: /,
    ],
    [two({ directory: 'link/x' }, { directory: 'real' }), /inside one another, .*\/link\/x and .*\/real: /],
    [two({}, {}, { path: '/a' }), /"path" is for one directory: give each entry of "directories" its own\.$/],
    [two({}, {}, { directory: 'c' }), /"directories" lists the directories, and ".*\/c" is one more: add it/],
    [
      two({ path: '/live' }, {}, { live: true }),
      /directories\[0\] \(\/live\): the page of --live is at \/live, and/,
    ],
    [
      two({}, { path: '/m/x' }, { metrics: '/m' }),
      /the page of --metrics is at \/m, and uploads are at \/m\/x: /,
    ],
    [
      two({ htpasswd: 'users' }, {}, { live: true }),
      /--live shows the uploads of all .*: set "htpasswd" at the top/,
    ],
    [two({ htpasswd: 'users' }, {}, { metrics: true }), /the page of --metrics shows the uploads of all/],
    [two({ htpasswd: 'none' }, {}), /directories\[0\] \(\/a\): --htpasswd .*none: ENOENT/],
    [
      {
        directories: [
          { ...S3, path: '/a' },
          { ...S3, path: '/b', 's3-prefix': 'b' },
        ],
      },
      /share a folder of a bucket/,
    ],
    [
      two({}, {}, { redis: 'redis://h' }),
      /have the same prefix in Redis, bits: give each its own "redis-prefix"/,
    ],
  ])('refuses %j', async (config, sentence) => {
    expect((await check(config)).exitCode).toBeGreaterThan(0)
    expect(err.trimEnd()).toMatch(sentence)
    expect(out).toBe('')
  })

  test('refuses one more directory, or one path for several, on the command line', async () => {
    expect((await check(two({}, {}), 'c')).exitCode).toBe(2)
    expect(err).toContain('"directories" lists the directories, and "c" is one more')
    expect((await check(two({}, {}), '--path', '/c')).exitCode).toBe(2)
    expect(err).toContain('--path is for one directory')
  })

  test('has a key for each option, and resolves each file', () => {
    const program = new Command()
    addServeCommand(program, () => {})
    const [serve] = program.commands
    const isAbout = (scope: string, heading: string) =>
      serve?.options
        .filter((option) => scopeOf(option) === scope && option.helpGroupHeading === heading)
        .map(keyOf)
    // Every new option must be per directory unless it is listed as one of the server.
    expect(isAbout('directory', 'Access control:')).toEqual([
      'htpasswd',
      'negotiate',
      'service',
      'keytab',
      'realm',
      'trust-session-id',
      'read',
      'list',
    ])
    for (const heading of ['Server:', 'Log:']) expect(isAbout('directory', heading)).toEqual([])
    for (const heading of ['Uploads:', 'S3 and Redis:', 'Processing:', 'IIS settings:'])
      expect([heading, isAbout('server', heading)]).toEqual([heading, []])
    const withFile = serve?.options.filter(({ flags }) => /file/.test(flags)).map(({ flags }) => flags)
    for (const flags of withFile ?? []) expect(flags).toMatch(/<file>$/)
  })
})
