import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Command } from 'commander'
import { runCli } from '../../lib/cli/run-cli.js'
import { addServeCommand } from '../../lib/cli/serve/command.js'
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
    await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
    const exitCode = await runCli(['node', 'x', 'serve', ...words, '--config', file, '--check'])
    return { exitCode, folder }
  }
  /** The value of a line. */
  const shownFor = (name: string) => new RegExp(`^${name} +(.*)$`, 'm').exec(out)?.[1]

  test('sets options as the command line does, with paths relative to the file', async () => {
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

  test('yields to the command line', async () => {
    const words = ['elsewhere', '--port', '9001']
    const { exitCode } = await check({ directory: 'in', port: 9000, 'max-upload-size': 5 }, ...words)
    expect(exitCode).toBe(0)
    expect(shownFor('directory')).toMatch(/\/elsewhere$/)
    expect(shownFor('--port')).toBe('9001')
    expect(shownFor('--max-upload-size')).toBe('5 bytes')
  })

  test.each([
    [{ maxUploadSize: 1 }, /there is no key "maxUploadSize": did you mean "max-upload-size"\?$/],
    [{ nonsense: 1 }, /there is no key "nonsense": the keys are directory, host, port, /],
    [{ check: true }, /there is no key "check": /],
    ['{"__proto__": 1}', /there is no key "__proto__": /],
    [{ 'max-upload-size': 'ten' }, /"max-upload-size" is "ten": Give bytes, or a number with KB/],
    [{ port: null }, /"port" is null: give a string\.$/],
    [{ list: 'yes' }, /"list" is "yes": give true or false\.$/],
    [{ iis: [5] }, /"iis" is an object of class Array: give a string, or a list of strings\.$/],
    [{ realm: 5 }, /"realm" is 5: give a string\.$/],
    [{ durability: 'always' }, /"durability" is "always": Allowed choices are none, publish, fragment\.$/],
    [{ directory: '' }, /"directory" is "": give a path\.$/],
    [{ directory: 'a', 'session-timeout': 0 }, /--session-timeout is 0: give a number of seconds above 0\.$/],
    [{}, /missing required argument 'directory'$/],
    ['{', /it is not JSON; it should hold an object like/],
    ['[]', /it is not a JSON object/],
  ])('refuses %j', async (config, sentence) => {
    expect((await check(config)).exitCode).toBe(2)
    expect(err.trimEnd()).toMatch(sentence)
    expect(out).toBe('')
  })

  test('has a key for each option, and resolves each file', () => {
    const program = new Command()
    addServeCommand(program, () => {})
    const [serve] = program.commands
    const withFile = serve?.options.filter(({ flags }) => /file/.test(flags)).map(({ flags }) => flags)
    for (const flags of withFile ?? []) expect(flags).toMatch(/<file>$/)
  })
})
