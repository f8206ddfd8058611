import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { bytes } from '../support/bytes.js'
import { WindowsProgram } from './windows-program.js'
import { SETUP_TIMEOUT, windowsDirectories } from './windows-server.js'
import { describeWindows, windowsPath, wine } from './wine.js'

const CLI = windowsPath(join(import.meta.dirname, '..', '..', 'dist', 'cli.js'))
const FILE = bytes(300_000)
/** `alice`, `secret`, as `htpasswd -B` writes it. */
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

  test('send sends a file of Windows to serve', async () => {
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
    // Windows: BITS-S~1. Wine makes other short names.
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

  test('serve writes a log at a path of Windows', async () => {
    const log = await readFile(join(work, 'access.log'), 'latin1')
    expect(log).toMatch(/"BITS_POST \/in\/a%20file\.bin HTTP\/1\.1" 200/)
    expect(log).toMatch(/ alice \[/)
  })

  test('messages have paths as Windows writes them', async () => {
    const wrong = new WindowsProgram(CLI, ['serve', 'C:\\work\\a file.bin'])
    expect(await wrong.exit).toBe(1)
    expect(wrong.stderr).toContain('C:\\work\\a file.bin is not a directory')
    await wrong.dispose()
  })
})
