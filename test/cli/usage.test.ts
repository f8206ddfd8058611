import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { report, runCli } from '../../lib/cli/run-cli.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { Command } from './command.js'

const { directory } = fixtures()

describe('the command line', () => {
  test('shows examples, and prints its version', async () => {
    const commands = [['--help'], ['serve', '--help'], ['send', '--help'], ['--version'], []].map(
      (words) => new Command(words),
    )
    expect(await Promise.all(commands.map(({ exit }) => exit))).toEqual([0, 0, 0, 0, 2])
    const [all, serve, send, version, none] = commands
    expect(all?.stdout).toMatch(
      /Examples:.*\$ npx express-bits-upload serve .*\$ npx express-bits-upload send /s,
    )
    for (const help of [all, serve, send])
      expect(help?.stdout).toMatch(/PS> Start-BitsTransfer -TransferType Upload/)
    for (const help of [serve, send]) expect(help?.stdout).toMatch(/\nExit codes: 0 .*2 usage error/s)
    expect(version?.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(none?.stderr).toContain('Usage: express-bits-upload')
  })
})

/** Runs in this process: errors are found before anything starts. */
describe('a usage error exits with 2 and one sentence', () => {
  let said = ''
  beforeEach(() => {
    said = ''
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += String(text)
      return true
    })
  })
  afterEach(() => {
    jest.restoreAllMocks()
  })
  const run = (...words: string[]) => runCli(['node', 'express-bits-upload', ...words])

  test.each([
    ['srve', /unknown command 'srve'/],
    ['serve', /missing required argument 'directory'/],
    ['serve a b', /too many arguments/],
    ['serve a --no-such', /unknown option '--no-such'/],
    ['serve a --port 65536', /Use a port, from 0 \(any free one\) to 65535\./],
    ['serve a --path /a/../b', /Use a path of letters/],
    ['serve a --max-upload-size ten', /Use bytes, or a number with KB, MB, GB or TB/],
    ['serve a --max-upload-size 9999999999TB', /Use bytes/],
    ['serve a --max-bandwidth 0', /Use a rate above 0/],
    ['serve a --session-timeout 1w', /Use seconds, or a number with s, m, h or d/],
    ['serve a --session-timeout 0', /^error: --session-timeout is 0: use a number of seconds above 0\.$/],
    [
      'serve a --max-fragment-size 1KB',
      /^error: --max-fragment-size is 1024: use a whole number of bytes, from 5120/,
    ],
    ['serve a --max-sessions-per-user few', /Use a whole number, or unlimited/],
    ['serve a --durability always', /Allowed choices are none, publish, fragment/],
    ['serve a --host-id a/b', /^error: --host-id is "a\/b": use a host as in a URL/],
    [
      'serve a --host-id-fallback-timeout 1h',
      /^error: --host-id-fallback-timeout needs --host-id: use that, too\.$/,
    ],
    [
      'serve a --notify-url ftp://x',
      /^error: --notify-url is "ftp:\/\/x": use an http: or https: URL of at most 2,200 characters\.$/,
    ],
    [
      'serve a --live-actions',
      /^error: --live-actions adds buttons to the page of --live: use --live, too\.$/,
    ],
    [
      'serve a --live --live-host proxy.example',
      /^error: --live-host is for the buttons of the live page: use --live-actions, too\.$/,
    ],
    ['serve a --live b', /^error: too many arguments for 'serve'\. Expected 1 argument but got 2\b.*$/],
    [
      'serve a --notify-url /handler',
      /^error: --notify-url is "\/handler": use an http: or https: URL of at most 2,200 characters\.$/,
    ],
    [
      'serve a --iis BITSServerNotificationType=1 --iis BITSServerNotificationURL=/handler',
      /^error: BITSServerNotificationURL is "\/handler": use an http: or https: URL of at most 2,200 characters\.$/,
    ],
    [
      'serve a --notify-url ftp://user:s3cret@h/',
      /^error: --notify-url is "ftp:\/\/…@h\/": use an http: or https: URL of at most 2,200 characters\.$/,
    ],
    [
      'serve a --notify-url http://h/ --notify-timeout 30d',
      /^error: --notify-timeout is 2592000: use at most 24 days, in seconds\.$/,
    ],
    [
      'serve a --notify-url http://h/ --notify-timeout 0',
      /^error: --notify-timeout is 0: use a number of seconds above 0\.$/,
    ],
    [
      'serve a --iis BITSServerNotificationType=1 --iis BITSServerNotificationURL=ftp://x',
      /^error: IIS properties: BITSServerNotificationURL is "ftp:\/\/x": use an http: or https: URL/,
    ],
    ['serve a --iis BITSHostId=a/b', /^error: IIS properties: BITSHostId is "a\/b": use a host as in a URL/],
    ['serve a --log-format xml', /Allowed choices are common, combined, bits, w3c, json, none/],
    ['serve a --on-upload scan.ps1', /^error: --on-upload scan\.ps1: it cannot be run without a shell; /],
    ['serve a --on-upload-timeout 1m', /^error: --on-upload-argument, -timeout and -concurrency need /],
    ['serve a --on-upload sh --on-upload-concurrency 0', /Use a whole number from 1 to 9999\./],
    [
      'serve a --on-upload sh --notify-url http://h/',
      /^error: --on-upload and a notification both decide whether to accept a file: use only one of them\.$/,
    ],
    ['serve a --idle-timeout 0', /Use a time above 0 and of at most 24 days/],
    ['serve a --idle-timeout 25d', /Use a time above 0 and of at most 24 days/],
    ['serve a --max-header-size 4KB', /Use a size from 8KB to 1MB/],
    ['serve a --tls-min-version 1.4', /Allowed choices are 1\.0, 1\.1, 1\.2, 1\.3/],
    ['serve a --tls-pfx a --tls-cert b', /^error: --tls-pfx holds certificate and key: use it, or/],
    ['serve a --tls-client-ca a', /^error: --tls-client-ca needs https: use --tls-cert and --tls-key, or/],
    [
      'serve a --negotiate --tls-client-ca a --tls-cert b --tls-key c',
      /^error: --negotiate and --tls-client-ca both identify the user: use only one of them\.$/,
    ],
    [
      'serve a --service HTTP',
      /^error: --service and --keytab are for Kerberos tickets: use --negotiate, too/,
    ],
    ['serve a --keytab k', /^error: --service and --keytab are for Kerberos tickets: use --negotiate, too/],
    ['serve a --tls-min-version 1.3', /^error: --tls-min-version needs https:/],
    ['serve a --tls-passphrase-file a', /^error: --tls-passphrase-file needs https:/],
    ['serve a --tls-cert cert.pem', /^error: https needs a certificate and its key/],
    [
      'serve a --trust-session-id',
      /^error: --trust-session-id is for clients that send .* use --htpasswd, too\.$/,
    ],
    [
      'serve a --notify-type by-value',
      /^error: --notify-type needs an application .* pass its URL, too, as --notify-url or BITSServerNotificationURL\.$/,
    ],
    [
      'serve a --notify-timeout 60',
      /^error: --notify-timeout needs an application to notify: pass its URL, too/,
    ],
    [
      'serve a --notify-header A:b',
      /^error: --notify-header needs an application to notify: pass its URL, too/,
    ],
    [
      'serve a --notify-url http://h/ --notify-header s3cret',
      /^error: --notify-header: use "Name: value", or @file with such lines\.$/,
    ],
    [
      'serve a --notify-url http://h/ --notify-header Authorization:',
      /^error: --notify-header Authorization: it has no value; set one\.$/,
    ],
    [
      'serve a --notify-url http://h/ --notify-header A:s3cret --notify-header a:s3cret',
      /^error: --notify-header a: it is set twice; set it once\.$/,
    ],
    [
      'serve a --notify-url http://h/ --notify-header A:s3cret€',
      /^error: --notify-header A: there is a character in it that a header cannot have; take ASCII\.$/,
    ],
    [
      'serve a --notify-url http://h/ --notify-header Ä:s3cret',
      /^error: --notify-header Ä: there is a character in it/,
    ],
    [
      'serve a --notify-url http://h/ --notify-header content-length:3',
      /^error: --notify-header content-length: each notification has its own; leave it out\.$/,
    ],
    ['serve a --iis BITSAllowOverwrites', /^error: --iis BITSAllowOverwrites: use a property and its value/],
    [
      'serve a --iis bitsallowoverwrites=1',
      /^error: IIS properties: .* did you mean BITSAllowOverwrites\?\.?$/,
    ],
    [
      'serve a --iis BITSAllowOverwrites=yes',
      /^error: IIS properties: BITSAllowOverwrites is "yes": use 0 or 1/,
    ],
    [
      'serve a --iis MaxBandwidth=1 --iis MaxBandwidth=2',
      /^error: --iis says MaxBandwidth=1 and MaxBandwidth=2/,
    ],
    ['send a', /missing required argument 'url'/],
    ['send http://h/', /^error: missing required argument 'url'$/],
    ['send a b', /^error: the destination is not an http: or https: URL/],
    [
      'send a b http://h/x',
      /^error: to send several files or a directory, use a URL that ends with a slash: /,
    ],
    [
      'send lib http://h/x',
      /^error: to send several files or a directory, use a URL that ends with a slash: /,
    ],
    ['send a/x b/x http://h/', /^error: a\/x and b\/x would have the same URL: send one of them\.$/],
    ['send a b http://h/ --reply-to r', /^error: --reply-to names one file, but there are several to send/],
    ['send a http://h --header x', /^error: --header: use "Name: value", or @file with such lines\.$/],
    ['send a http://h --header BITS-Packet-Type:Ping', /^error: --header has "BITS-Packet-Type"/],
    ['send a http://u:p@h --user alice', /^error: both the URL and --user name a user/],
    [
      'send a http://127.0.0.1 --user a:b',
      /^error: --user: a user name for HTTP Basic cannot contain a colon\.$/,
    ],
    ['send a http://h --password-file p', /^error: --password-file needs a user name/],
    ['send a http://h --cert c.pem', /^error: a client certificate needs its private key/],
  ])('%s', async (words, sentence) => {
    expect(await run(...words.split(' '))).toBe(2)
    expect(said.trimEnd()).toMatch(sentence)
    expect(said).not.toMatch(/^\s+at /m)
    expect(said).not.toContain('s3cret')
  })

  test('an error thrown in another realm is reported like one of this realm', () => {
    expect(report(runInNewContext('new RangeError("Out of order.")'))).toBe(1)
    expect(said).toBe('error: Out of order.\n')
  })

  test.each([
    ['max-upload-size 1KB', 'BITSMaximumUploadSize=1000'],
    ['overwrite', 'BITSAllowOverwrites=0'],
    ['session-timeout 1h', 'BITSSessionTimeout=60'],
    ['host-id a', 'BITSHostId=b'],
    ['host-id-fallback-timeout 1h', 'BITSHostId=b --iis BITSHostIdFallbackTimeout=60'],
    ['max-sessions-per-user 5', 'BITSNumberOfSessionsLimit=6'],
    ['cleanup-interval 1h', 'BITSCleanupCount=2'],
    ['max-bandwidth 1KB', 'MaxBandwidth=1000'],
    ['notify-url http://h/a', 'BITSServerNotificationType=1 --iis BITSServerNotificationURL=http://h/b'],
    [
      'notify-type by-value --notify-url http://h/',
      'BITSServerNotificationType=1 --iis BITSServerNotificationURL=http://h/',
    ],
  ])('--%s with the IIS properties %s', async (flag, properties) => {
    // If it were not refused, the next mistake would keep the server from starting.
    const words = `--${flag} --iis ${properties} --tls-cert cert.pem`.split(' ')
    expect(await run('serve', 'a', ...words)).toBe(2)
    const [name] = flag.split(' ')
    expect(said).toBe(`error: --${name} contradicts the IIS properties: use only one of them.\n`)
  })

  test.each([
    ['a file that is not JSON', '{', /it is not JSON; it should hold an object like/],
    ['a file without an object', '[]', /it is not a JSON object/],
    ['a nested object', '{"MaxBandwidth": {}}', /MaxBandwidth is not a string, a number or a boolean/],
    [
      'what a flag contradicts',
      '{"MaxBandwidth": 5}',
      /^error: --iis says MaxBandwidth=6, and .* says 5: use only one of them\.$/,
    ],
  ])('an --iis-file with %s', async (_, content, sentence) => {
    const file = join(await directory(), 'iis.json')
    await writeFile(file, content)
    expect(await run('serve', 'a', '--iis-file', file, '--iis', 'MaxBandwidth=6')).toBe(2)
    expect(said.trimEnd()).toMatch(sentence)
  })

  test('a file of headers without any', async () => {
    const file = join(await directory(), 'headers.txt')
    await writeFile(file, '# Authorization: Bearer ...\n\n')
    expect(await run('serve', 'a', '--notify-url', 'http://h/', '--notify-header', `@${file}`)).toBe(2)
    expect(said).toMatch(/^error: --notify-header @.*headers\.txt: it contains no header\.\n$/)
  })

  test('a certificate with the key of another', async () => {
    const folder = await directory()
    const authority = await Authority.create(folder)
    const { keyFile } = await authority.issue('other')
    const words = ['--tls-cert', authority.own.certFile, '--tls-key', keyFile]
    expect(await run('serve', join(folder, 'in'), ...words)).toBe(2)
    expect(said).toMatch(/^error: --tls-key .* is not the key of the certificate in .*\n$/)
  })

  test('but a missing file exits with 1', async () => {
    for (const flag of ['--iis-file', '--htpasswd', '--notify-header']) {
      said = ''
      const path = flag === '--notify-header' ? '@/no/such/file' : '/no/such/file'
      expect(await run('serve', 'a', '--notify-url', 'http://h/', flag, path)).toBe(1)
      expect(said).toMatch(new RegExp(`^error: ${flag}.*: ENOENT: .*\n$`))
    }
  })
})
