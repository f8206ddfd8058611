import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { runCli } from '../../lib/cli/run-cli.js'
import { fixtures } from '../support/fixtures.js'

const { directory } = fixtures()

describe('serve --check', () => {
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
  const check = (...words: string[]) => runCli(['node', 'express-bits-upload', 'serve', ...words, '--check'])
  /** The value of the line with this name. */
  const shownFor = (name: string) => new RegExp(`^${name} +(.*)$`, 'm').exec(out)?.[1]

  test('prints the effective options, including defaults, and changes nothing', async () => {
    const folder = join(await directory(), 'in')
    expect(await check(folder, '--max-upload-size', '1GB', '--shared')).toBe(0)
    expect(shownFor('directory')).toBe(folder)
    expect(shownFor('--max-upload-size')).toBe('1,073,741,824 bytes')
    expect(shownFor('--max-fragment-size')).toBe('16,777,216 bytes')
    expect(shownFor('--session-timeout')).toBe('1,209,600 s')
    expect(shownFor('--max-sessions-per-user')).toBe('unlimited')
    expect(shownFor('--shared')).toBe('yes')
    expect(shownFor('--overwrite')).toBe('no')
    expect(shownFor('--port')).toBe('8080')
    expect(shownFor('--htpasswd')).toBe('-')
    await expect(stat(folder)).rejects.toThrow('ENOENT')
    expect(err).toBe('')
  })

  test('takes IIS properties into account, and masks secrets', async () => {
    const secret = join(await directory(), 'headers')
    await writeFile(secret, 'Authorization: Bearer s3cret\n')
    const iis = [
      'BITSMaximumUploadSize=1000',
      'BITSAllowOverwrites=1',
      'BITSServerNotificationType=1',
      'BITSServerNotificationURL=http://user:s3cret@app/handler?key=s3cret',
    ].flatMap((property) => ['--iis', property])
    expect(await check('a', ...iis, '--notify-header', `@${secret}`)).toBe(0)
    expect(shownFor('--max-upload-size')).toBe('1,000 bytes')
    expect(shownFor('--overwrite')).toBe('yes')
    expect(shownFor('--notify-url')).toBe('http://…@app/handler?key=***')
    expect(shownFor('--notify-header')).toBe('Authorization: ***')
    expect(out + err).not.toContain('s3cret')
  })

  test('finds what would keep the server from starting', async () => {
    expect(await check('a', '--htpasswd', '/no/such/file')).toBe(1)
    expect(await check('a', '--tls-cert', '/no/such/file', '--tls-key', '/no/such/file')).toBe(1)
    expect(await check('a', '--session-timeout', '0')).toBe(2)
    expect(await check('a', '--trust-session-id')).toBe(2)
    expect(out).toBe('')
  })
})
