import { execFile } from 'node:child_process'
import { copyFile, readFile, rename, utimes, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConnectionOptions, connect } from 'node:tls'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { createServerFor } from '../../lib/cli/serve/listen.js'
import { CertificateReload } from '../../lib/cli/serve/tls/reload.js'
import { readTls, type TlsFlags } from '../../lib/cli/serve/tls/tls-options.js'
import { Authority } from '../support/certificates.js'
import { fixtures } from '../support/fixtures.js'
import { FAST, withFile } from '../support/upload-fixture.js'
import { Server } from './command.js'

const { directory, afterwards } = fixtures()
const openssl = (...words: string[]) => promisify(execFile)('openssl', words)

async function files() {
  const folder = await directory()
  const authority = await Authority.create(folder)
  const path = (name: string) => join(folder, name)
  const write = async (name: string, content: string) => {
    await writeFile(path(name), content)
    return path(name)
  }
  return { folder, authority, path, write, server: await authority.issue('server') }
}

/** The common name of the certificate that a server presents. */
function shownBy(port: number, options: ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20)
}

describe('invalid TLS files are named, with the remedy', () => {
  test('in PEM', async () => {
    const { authority, server, path, write } = await files()
    const { certFile: tlsCert, keyFile: tlsKey } = server
    const other = await authority.issue('other')
    await openssl('x509', '-in', tlsCert, '-outform', 'der', '-out', path('der.crt'))
    await openssl('ec', '-in', tlsKey, '-aes256', '-passout', 'pass:s3cret', '-out', path('locked.key'))
    const empty = await write('empty.pem', '')
    const text = await write('text.pem', 'hello')
    const damaged = await write('damaged.pem', server.cert.replace(/\n[A-Za-z0-9+/]{60}/, '\n'))
    const wrongOrder = await write('chain.pem', authority.own.cert + server.cert)
    const wrongPhrase = await write('wrong.txt', 'guess\r\n')
    const cases: [TlsFlags, RegExp][] = [
      [
        { tlsCert: empty, tlsKey },
        /^--tls-cert .*empty\.pem holds no certificate in PEM\. The file is empty\.$/,
      ],
      [{ tlsCert: text, tlsKey }, /a line that starts with "-----BEGIN"\.$/],
      [{ tlsCert: tlsKey, tlsKey }, /It holds a private key: are the files swapped\?$/],
      [{ tlsCert, tlsKey: tlsCert }, /^--tls-key .* no private key in PEM\. It holds a certificate: are the/],
      [{ tlsCert: path('der.crt'), tlsKey }, /"openssl x509 -inform der -in .*der\.crt -out new\.pem"\.$/],
      [{ tlsCert: damaged, tlsKey }, /^--tls-cert .* holds a damaged certificate: copy it again\.$/],
      [
        { tlsCert, tlsKey: other.keyFile },
        /^--tls-key .*other\.key is not the key of the certificate in .*server/,
      ],
      [
        { tlsCert: wrongOrder, tlsKey },
        /starts with the certificate of CN=authority: put that of the server/,
      ],
      [
        { tlsCert, tlsKey: path('locked.key') },
        /is encrypted: pass its passphrase with --tls-passphrase-file\.$/,
      ],
      [
        { tlsCert, tlsKey: path('locked.key'), tlsPassphraseFile: wrongPhrase },
        /^the passphrase of --tls-passphrase-file does not open --tls-key .*locked\.key\.$/,
      ],
      [
        { tlsCert, tlsKey, tlsPassphraseFile: empty },
        /its first line is empty; write the passphrase there\.$/,
      ],
      [{ tlsCert, tlsKey, tlsClientCa: tlsKey }, /^--tls-client-ca .* holds no certificate in PEM\./],
    ]
    for (const [flags, sentence] of cases)
      await expect(readTls(flags)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringMatching(sentence),
      })
    const phrase = await write('phrase.txt', '\uFEFFs3cret\r\n')
    await readTls({ tlsCert, tlsKey: path('locked.key'), tlsPassphraseFile: phrase })
    await expect(readTls({ tlsCert: path('none'), tlsKey })).rejects.toMatchObject({ exitCode: 1 })
    const over = await authority.issue('over', 0)
    expect(await readTls({ tlsCert: over.certFile, tlsKey: over.keyFile })).toMatchObject({
      warnings: [expect.stringMatching(/^the certificate of --tls-cert expired at .* GMT\.$/)],
    })
  })

  test('in PKCS #12', async () => {
    const { server, path, write } = await files()
    const pair = ['-in', server.certFile, '-inkey', server.keyFile, '-passout', 'pass:s3cret']
    await openssl('pkcs12', '-export', ...pair, '-out', path('a.pfx'))
    const tlsPfx = path('a.pfx')
    const cases: [TlsFlags, RegExp][] = [
      [{ tlsPfx }, /^--tls-pfx .*a\.pfx is encrypted: pass its passphrase with --tls-passphrase-file\.$/],
      [{ tlsPfx, tlsPassphraseFile: await write('w', 'x') }, /does not open with the passphrase/],
      [{ tlsPfx: server.certFile }, /is not a PKCS #12 file .* there are --tls-cert and --tls-key\.$/],
      [{ tlsCert: tlsPfx, tlsKey: server.keyFile }, /probably a PKCS #12 file: pass it as --tls-pfx\.$/],
    ]
    for (const [flags, sentence] of cases)
      await expect(readTls(flags)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringMatching(sentence),
      })
    const tlsPassphraseFile = await write('phrase', 's3cret')
    const folder = await directory()
    const running = await Server.start(folder, [
      '--tls-pfx',
      tlsPfx,
      '--tls-passphrase-file',
      tlsPassphraseFile,
      '--tls-min-version',
      '1.3',
    ])
    afterwards(() => running.kill('SIGKILL'))
    expect(running.origin).toMatch(/^https:/)
    expect(await shownBy(running.port)).toBe('server')
    await expect(shownBy(running.port, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/alert protocol version/)
    // A client that uses http gets no explanation; the log does.
    const plain = connectTcp(running.port, '127.0.0.1')
    plain.on('error', () => {}).write('GET / HTTP/1.1\r\n\r\n')
    await running.until(
      'stderr',
      /^warning: .* speaks http to this https port: its URL has to start with https/m,
    )
    plain.destroy()
  })
})

test('--tls-min-version 1.0 accepts clients as old as Windows 7', async () => {
  const { server } = await files()
  const tls = await readTls({ tlsCert: server.certFile, tlsKey: server.keyFile, tlsMinVersion: '1.0' })
  const listening = createServerFor(() => {}, { maxHeaderSize: 65_536 }, tls).listen(0, '127.0.0.1')
  afterwards(() => listening.close())
  await new Promise((resolve) => listening.on('listening', resolve))
  const { port } = listening.address() as AddressInfo
  const old: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }
  expect(await shownBy(port, old)).toBe('server')
})

describe('changed certificates', () => {
  test('are loaded when the files change; after invalid ones, the old one stays in use', async () => {
    const { authority, server, path } = await files()
    const flags = { tlsCert: path('live.pem'), tlsKey: path('live.key') }
    await copyFile(server.certFile, flags.tlsCert)
    await copyFile(server.keyFile, flags.tlsKey)
    const tls = await readTls(flags)
    const listening = createServerFor(() => {}, { maxHeaderSize: 65_536 }, tls)
    if (!('setSecureContext' in listening)) throw new TypeError('It speaks no TLS.')
    const log: string[] = []
    const reload = new CertificateReload(listening, {
      files: [flags.tlsCert, flags.tlsKey],
      read: () => readTls(flags),
      log: (line) => log.push(line),
      interval: 50,
    })
    listening.listen(0, '127.0.0.1')
    await new Promise((resolve) => listening.on('listening', resolve))
    afterwards(() => {
      reload.close()
      listening.close()
    })
    const { port } = listening.address() as AddressInfo
    await sleep(200)
    expect(log).toEqual([])

    const renewed = await authority.issue('renewed')
    // The certificate is replaced first: for a moment the two do not match.
    await copyFile(renewed.certFile, path('next.pem'))
    await rename(path('next.pem'), flags.tlsCert)
    await until(() => log.length > 0)
    expect(log).toEqual([
      expect.stringMatching(
        /^warning: the new TLS files cannot be used; .* is not the key of the certificate/,
      ),
    ])
    expect(await shownBy(port)).toBe('server')
    await copyFile(renewed.keyFile, path('next.key'))
    await rename(path('next.key'), flags.tlsKey)
    await until(() => log.length > 1)
    expect(log[1]).toMatch(/was reloaded/)
    expect(await shownBy(port)).toBe('renewed')
    await writeFile(flags.tlsCert, '')
    await until(() => log.length > 2)
    await sleep(200)
    expect(log[2]).toMatch(/^warning: the new TLS files cannot be used/)
    expect(await shownBy(port)).toBe('renewed')
  })

  test('are loaded at SIGHUP', async () => {
    const { authority, server, path } = await files()
    const [cert, key] = [path('live.pem'), path('live.key')]
    await copyFile(server.certFile, cert)
    await copyFile(server.keyFile, key)
    const running = await Server.start(await directory(), ['--tls-cert', cert, '--tls-key', key])
    afterwards(() => running.kill('SIGKILL'))
    expect(await shownBy(running.port)).toBe('server')
    const renewed = await authority.issue('renewed')
    await copyFile(renewed.keyFile, key)
    await copyFile(renewed.certFile, cert)
    await utimes(cert, 0, 0)
    running.kill('SIGHUP')
    await running.until('stderr', /^The TLS certificate was reloaded; new connections use it\.$/m)
    expect(await shownBy(running.port)).toBe('renewed')
    expect(await running.stop()).toBe(0)
  })
})

describe('--tls-client-ca', () => {
  test('accepts clients with a certificate, identified by its common name', async () => {
    const { authority, server, folder } = await files()
    const stranger = await (await Authority.create(await directory(), 'stranger')).issue('alice')
    const alice = await authority.issue('alice')
    const flags = ['--tls-cert', server.certFile, '--tls-key', server.keyFile, '--list']
    const running = await Server.start(join(folder, 'in'), [
      ...flags,
      '--tls-client-ca',
      authority.own.certFile,
    ])
    afterwards(() => running.kill('SIGKILL'))
    await withFile(20_000, async ({ path, content }) => {
      const tls = { ca: authority.own.cert, cert: alice.cert, key: alice.key }
      await uploadFile(path, `${running.origin}/a.bin`, { ...FAST, tls })
      expect((await readFile(join(folder, 'in', 'a.bin'))).equals(content)).toBe(true)
      for (const wrong of [{ cert: stranger.cert, key: stranger.key }, {}]) {
        const options = { ...FAST, retries: 0, tls: { ca: authority.own.cert, ...wrong } }
        await expect(uploadFile(path, `${running.origin}/b.bin`, options)).rejects.toThrow()
      }
    })
    const status = await new Promise((resolve, reject) => {
      const options = { ca: authority.own.cert, cert: alice.cert, key: alice.key }
      request(`${running.origin}/`, options, (res) => resolve(res.resume().statusCode))
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
    expect(await running.stop()).toBe(0)
    expect(running.stdout).toMatch(/ - alice \[[^\]]+\] "BITS_POST \/a\.bin HTTP\/1\.1" 200 0$/m)
    expect(running.stdout).not.toMatch(/b\.bin/)
    expect(running.stderr).not.toMatch(/everybody/)
  })
})
