import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { stagedFiles } from '../support/files.js'
import { cancelSession, createSession, fragment, openSession, RawConnection } from '../support/raw.js'
import { ARRIVED, outcomeOf, REFUSED_OUTCOME, upload } from './upload.js'
import { SETUP_TIMEOUT, WindowsServer, windowsDirectories } from './windows-server.js'
import { DEVICES, describeWindows, localPath } from './wine.js'

const UNFORESEEN = { status: 500, code: '0x80004005' }
/** Shorter than the second for which the server tries to use a file that another program has open. */
const A_SCANNER_S_TIME = 300

describeWindows(() => {
  let server: WindowsServer
  let uploads: string
  let overwrite: string

  beforeAll(async () => {
    ;[uploads = '', overwrite = ''] = await windowsDirectories(
      ...[
        'C:\\uploads',
        'C:\\overwrite',
        'C:\\slashes',
        'C:\\device',
        'C:\\read-only',
        'C:\\drive-d',
        'C:\\share',
      ],
    )
    // The root of a drive, and a share of a file server. Wine resolves its UNC path to a local one.
    await rm(join(DEVICES, 'd:'), { force: true })
    await symlink(localPath('C:\\drive-d'), join(DEVICES, 'd:'))
    await mkdir(join(DEVICES, 'unc', 'fileserver'), { recursive: true })
    await rm(join(DEVICES, 'unc', 'fileserver', 'share'), { force: true })
    await symlink(localPath('C:\\share'), join(DEVICES, 'unc', 'fileserver', 'share'))
    server = await WindowsServer.start({
      '/uploads': { directory: 'C:\\uploads' },
      '/overwrite': { directory: 'C:\\overwrite', overwrite: true },
      '/slashes': { directory: 'c:/SLASHES//' },
      '/device': { directory: '\\\\?\\C:\\device' },
      '/drive': { directory: 'D:\\' },
      '/share': { directory: '\\\\fileserver\\share\\incoming' },
      '/read-only': { directory: 'C:\\read-only', files: { fileMode: 0o444 }, overwrite: true },
    })
  }, SETUP_TIMEOUT)

  afterAll(() => server?.dispose())

  describe('overwriting', () => {
    test('is refused by default, and replaces a file if allowed', async () => {
      await writeFile(join(uploads, 'taken.txt'), 'old')
      await writeFile(join(overwrite, 'taken.txt'), 'old')
      expect(await upload(server.port, '/uploads/taken.txt')).toEqual(REFUSED_OUTCOME)
      expect(await readFile(join(uploads, 'taken.txt'), 'utf8')).toBe('old')
      expect(await upload(server.port, '/overwrite/taken.txt')).toEqual(ARRIVED)
      expect(await readFile(join(overwrite, 'taken.txt'), 'utf8')).toBe('uploaded')
    })

    test('in a different case replaces the file', async () => {
      await writeFile(join(overwrite, 'Case.txt'), 'old')
      expect(await upload(server.port, '/overwrite/CASE.TXT')).toEqual(ARRIVED)
      const names = (await readdir(overwrite)).filter((name) => /^case\.txt$/i.test(name))
      expect(names).toHaveLength(1)
      expect(await readFile(join(overwrite, names[0] ?? ''), 'utf8')).toBe('uploaded')
    })

    test('waits for a program that briefly has the old file open', async () => {
      await writeFile(join(overwrite, 'scanned.txt'), 'old')
      expect(await server.lock('C:\\overwrite\\scanned.txt')).toBe('locked')
      const outcome = upload(server.port, '/overwrite/scanned.txt')
      await delay(A_SCANNER_S_TIME)
      await server.unlock('C:\\overwrite\\scanned.txt')
      expect(await outcome).toEqual(ARRIVED)
      expect(await readFile(join(overwrite, 'scanned.txt'), 'utf8')).toBe('uploaded')
    })

    test('fails while a program keeps the old file open, loses nothing, and works later', async () => {
      const path = '/overwrite/held.txt'
      const content = Buffer.from('uploaded')
      await writeFile(join(overwrite, 'held.txt'), 'old')
      await server.lock('C:\\overwrite\\held.txt')
      const connection = await RawConnection.open(server.port)
      const id = await openSession(connection, path)
      // Windows repeats the fragment after a while.
      let isAnswered = false
      const answer = connection.exchange(fragment(path, id, content)).finally(() => {
        isAnswered = true
      })
      const copies = new Set<string>()
      while (!isAnswered) {
        for (const name of await readdir(overwrite)) if (name.startsWith('.')) copies.add(name)
        await delay(20)
      }
      expect(outcomeOf(await answer)).toEqual(UNFORESEEN)
      // A file that cannot be replaced is not overwritten with a copy, because it may be large.
      expect([...copies]).toEqual([])
      expect(server.errors.join()).toContain(
        '"C:\\overwrite\\held.txt" cannot be replaced (EPERM): another program',
      )
      await server.unlock('C:\\overwrite\\held.txt')
      expect(await readFile(join(overwrite, 'held.txt'), 'utf8')).toBe('old')
      expect(outcomeOf(await connection.exchange(fragment(path, id, content)))).toEqual(ARRIVED)
      expect(await readFile(join(overwrite, 'held.txt'), 'utf8')).toBe('uploaded')
      await connection.exchange(cancelSession(path, id))
      connection.end()
    })

    test('of a read-only file replaces it', async () => {
      expect(await upload(server.port, '/read-only/a.txt', Buffer.from('old'))).toEqual(ARRIVED)
      // Wine replaces it. Windows refuses to, with ERROR_ACCESS_DENIED, unless its file system renames as POSIX does.
      expect(await upload(server.port, '/read-only/a.txt')).toEqual(ARRIVED)
      expect(await readFile(localPath('C:\\read-only\\a.txt'), 'utf8')).toBe('uploaded')
    })
  })

  describe('a program that briefly has a file of an unfinished upload open', () => {
    test.each([
      { what: 'its data', pattern: /\.part$/ },
      { what: 'its session', pattern: /^[0-9a-f]{32}\.json$/ },
    ])('delays a packet: $what', async ({ what, pattern }) => {
      const path = `/uploads/${encodeURIComponent(what)}`
      const content = Buffer.from(what)
      const connection = await RawConnection.open(server.port)
      const ack = await connection.exchange(createSession(path))
      const id = ack.header('BITS-Session-Id') ?? ''
      const names = await readdir(join(uploads, 'BITS-Sessions'))
      const held = `C:\\uploads\\BITS-Sessions\\${names.find((name) => pattern.test(name))}`
      expect(await server.lock(held)).toBe('locked')
      const answer = connection.exchange(fragment(path, id, content))
      await delay(A_SCANNER_S_TIME)
      await server.unlock(held)
      expect(outcomeOf(await answer)).toEqual(ARRIVED)
      expect(await readFile(join(uploads, what), 'utf8')).toBe(what)
      await connection.exchange(cancelSession(path, id))
      connection.end()
      expect(await stagedFiles(uploads)).toEqual([])
    })
  })

  // Node and Wine resolve a share to `Z:`, a local path; Windows resolves it to itself.
  test.each([
    { mount: '/slashes', directory: 'C:\\slashes', published: 'c:\\SLASHES' },
    { mount: '/device', directory: 'C:\\device', published: '\\\\?\\C:\\device' },
    { mount: '/drive', directory: 'C:\\drive-d', published: 'D:\\' },
    { mount: '/share', directory: 'C:\\share\\incoming', published: '\\\\fileserver\\share\\incoming' },
  ])('a directory may be $published', async ({ mount, directory, published }) => {
    expect(await upload(server.port, `${mount}/a.txt`)).toEqual(ARRIVED)
    expect(await upload(server.port, `${mount}/sub/b.txt`)).toEqual(ARRIVED)
    expect(await upload(server.port, `${mount}/sub/b.txt`)).toEqual(REFUSED_OUTCOME)
    expect(await readFile(join(localPath(directory), 'a.txt'), 'utf8')).toBe('uploaded')
    expect(await readFile(join(localPath(directory), 'sub', 'b.txt'), 'utf8')).toBe('uploaded')
    const separator = published.endsWith('\\') ? '' : '\\'
    expect(server.program.stderr).toContain(`uploaded: ${published}${separator}a.txt`)
  })
})
