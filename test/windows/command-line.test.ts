import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { bytes } from '../support/bytes.js'
import { Authority } from '../support/certificates.js'
import { WindowsProgram } from './windows-program.js'
import { SETUP_TIMEOUT, windowsDirectories } from './windows-server.js'
import { describeWindows, windowsPath, wine } from './wine.js'

const CLI = windowsPath(join(import.meta.dirname, '..', '..', 'dist', 'cli.js'))
const FILE = bytes(300_000)
/** The hash of `alice`, `secret` from `htpasswd -B`. */
const USER = 'alice:$2y$05$wl0AP9lH259KJoyDgnXFu.gOkzkrBkGxzeJR7sx6cdL0Y1fgUplzy'

describeWindows(() => {
  let server: WindowsProgram
  let origin: string
  let uploads: string
  let work: string

  beforeAll(async () => {
    ;[uploads = '', work = ''] = await windowsDirectories('C:\\uploads', 'C:\\work')
    await writeFile(join(work, 'a file.bin'), FILE)
    await writeFile(join(work, 'users.htpasswd'), `${USER}\r\n`)
    server = new WindowsProgram(CLI, [
      ...['serve', 'C:\\uploads', '--port', '0', '--list'],
      ...['--htpasswd', 'C:\\work\\users.htpasswd', '--access-log', 'C:\\work\\access.log'],
    ])
    const [, found = '', directory] = await server.until('stderr', /^Uploads to (\S+)\/ go to (\S+?)\r?\n/m)
    expect(directory).toBe('C:\\uploads')
    origin = found
  }, SETUP_TIMEOUT)

  afterAll(() => server?.dispose())

  const get = async (path: string) => {
    const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`
    const response = await fetch(`${origin}${path}`, { headers: { authorization } })
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
  }

  test('send uploads a file from Windows to serve', async () => {
    const url = `${origin.replace('//', '//alice:secret@')}/in/`
    const send = new WindowsProgram(CLI, ['send', 'C:\\work\\a file.bin', url])
    const exit = await send.exit
    expect([exit, send.stderr]).toEqual([0, expect.stringContaining('a file.bin')])
    await send.dispose()
    expect((await readFile(join(uploads, 'in', 'a file.bin'))).equals(FILE)).toBe(true)
  })

  test('serve lists and returns the file, whatever the case of its name', async () => {
    expect((await get('/in/')).body.toString()).toContain('a file.bin')
    expect((await get('/in/a%20file.bin')).body.equals(FILE)).toBe(true)
    expect((await get('/IN/A%20FILE.BIN')).body.equals(FILE)).toBe(true)
  })

  test('serve hides unfinished uploads under all their names', async () => {
    await mkdir(join(uploads, 'BITS-Sessions'), { recursive: true })
    await writeFile(join(uploads, 'BITS-Sessions', 'x.part'), 'secret')
    const listing = await wine('cmd', '/c', 'dir /x C:\\uploads')
    // BITS-S~1 on Windows. Wine generates other short names.
    const [, short = ''] = /(\S*~\S*) +BITS-Sessions\s*$/m.exec(listing) ?? []
    expect(short).not.toBe('')
    for (const name of [
      'BITS-Sessions',
      'bits-sessions',
      'BITS-S~1',
      'BITS-Sessions.',
      'BITS-Sessions::$DATA',
      short,
    ]) {
      const path = `/${encodeURIComponent(name)}`
      expect([name, (await get(`${path}/x.part`)).status]).toEqual([name, 404])
      expect([name, (await get(`${path}/`)).status]).toEqual([name, 404])
    }
  })

  test('serve writes a log to a Windows path', async () => {
    const log = await readFile(join(work, 'access.log'), 'latin1')
    expect(log).toMatch(/"BITS_POST \/in\/a%20file\.bin HTTP\/1\.1" 200/)
    expect(log).toMatch(/ alice \[/)
  })

  test('messages have Windows paths', async () => {
    const wrong = new WindowsProgram(CLI, ['serve', 'C:\\work\\a file.bin'])
    expect(await wrong.exit).toBe(1)
    expect(wrong.stderr).toContain('C:\\work\\a file.bin is not a directory')
    await wrong.dispose()
  })

  describe('serve as a service runs it, with a certificate and users', () => {
    let authority: Authority
    let secure: WindowsProgram
    let port: number

    beforeAll(async () => {
      authority = await Authority.create(work)
      const { certFile, keyFile } = await authority.issue('server')
      const pfx = join(work, 'server.pfx')
      await promisify(execFile)('openssl', [
        ...['pkcs12', '-export', '-in', certFile, '-inkey', keyFile, '-out', pfx],
        ...['-passout', 'pass:p\u00e4ss phrase'],
      ])
      // As written by Notepad.
      await writeFile(join(work, 'passphrase.txt'), '\uFEFFp\u00e4ss phrase\r\n')
      await writeFile(join(work, 'wrong.txt'), 'wrong\r\n')
      const passwd = new WindowsProgram(CLI, ['passwd', 'C:\\work\\bob.htpasswd', 'bob'], {
        stdin: 'b\u00f6b secret\r\n',
      })
      expect([await passwd.exit, passwd.stderr]).toEqual([0, 'Added bob.\n'])
      await passwd.dispose()
      secure = new WindowsProgram(CLI, [
        ...['serve', 'C:\\uploads', '--port', '0', '--htpasswd', 'C:\\work\\bob.htpasswd'],
        ...['--tls-pfx', 'C:\\work\\server.pfx', '--tls-passphrase-file', 'C:\\work\\passphrase.txt'],
      ])
      const [, found] = await secure.until('stderr', /^Uploads to https:\/\/\S+:(\d+)\/ go to /m)
      port = Number(found)
    }, SETUP_TIMEOUT)

    afterAll(() => secure?.dispose())

    const sendAs = (password: string, name: string) =>
      uploadFile(join(work, 'a file.bin'), `https://127.0.0.1:${port}/${name}`, {
        tls: { ca: authority.own.cert },
        headers: { Authorization: `Basic ${Buffer.from(`bob:${password}`).toString('base64')}` },
        retries: 2,
      })

    test('--tls-pfx opens a PKCS #12 file, and passwd has set the password of a user', async () => {
      await sendAs('b\u00f6b secret', 'secure.bin')
      expect((await readFile(join(uploads, 'secure.bin'))).equals(FILE)).toBe(true)
      await expect(sendAs('wrong', 'refused.bin')).rejects.toMatchObject({ status: 401 })
    })

    test('a wrong passphrase ends serve with a sentence', async () => {
      const wrong = new WindowsProgram(CLI, [
        ...['serve', 'C:\\uploads', '--port', '0', '--tls-pfx', 'C:\\work\\server.pfx'],
        ...['--tls-passphrase-file', 'C:\\work\\wrong.txt'],
      ])
      expect(await wrong.exit).toBe(2)
      expect(wrong.stderr).toMatch(
        /^error: --tls-pfx C:\\work\\server\.pfx does not open with the passphrase/,
      )
      await wrong.dispose()
    })

    test('passwd changes a password, and keeps the line ends of Windows and the other users', async () => {
      const file = join(work, 'several.htpasswd')
      await writeFile(file, `${USER}\r\nbob:x\r\n`)
      const passwd = new WindowsProgram(CLI, ['passwd', 'C:\\work\\several.htpasswd', 'bob'], {
        stdin: 'new\n',
      })
      expect([await passwd.exit, passwd.stderr]).toEqual([0, 'Changed the password of bob.\n'])
      await passwd.dispose()
      expect((await readFile(file, 'utf8')).split('\r\n')).toEqual([
        USER,
        expect.stringMatching(/^bob:\$2y\$10\$[./0-9A-Za-z]{53}$/),
        '',
      ])
      expect((await readdir(work)).filter((name) => name.includes('several'))).toEqual(['several.htpasswd'])
    })
  })
})
