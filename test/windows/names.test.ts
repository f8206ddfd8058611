import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { treeOf } from '../support/files.js'
import { INSIDE, NO_FILES, REFUSED } from '../support/hostile-destinations.js'
import { cancelSession, closeSession, createSession, fragment, RawConnection } from '../support/raw.js'
import { ARRIVED, NO_FILE, outcomeOf, REFUSED_OUTCOME, upload } from './upload.js'
import { SETUP_TIMEOUT, WindowsServer, windowsDirectories } from './windows-server.js'
import { describeWindows, localPath, wine } from './wine.js'

describeWindows(() => {
  let server: WindowsServer
  let root: string

  beforeAll(async () => {
    ;[root = ''] = await windowsDirectories('C:\\uploads')
    await mkdir(join(root, 'directory'))
    await writeFile(join(root, 'file.txt'), 'old')
    server = await WindowsServer.start({ '/uploads': { directory: 'C:\\uploads' } })
    // The first upload creates the directory for unfinished ones.
    expect(await upload(server.port, '/uploads/first.txt')).toEqual(ARRIVED)
  }, SETUP_TIMEOUT)

  afterAll(() => server?.dispose())

  const stored = (name: string) => readFile(join(root, name), 'utf8').catch(() => undefined)

  describe('a hostile destination', () => {
    let before: Awaited<ReturnType<typeof treeOf>>

    beforeEach(async () => {
      before = await treeOf(root)
    })

    // Windows accepts paths of 32,000 characters. Wine does not, as its files are on this machine.
    const refused = REFUSED.filter(([what]) => what !== 'a path longer than the system takes')
    test.each(refused)('is refused: %s', async (_what, path) => {
      expect(await upload(server.port, path)).toEqual(REFUSED_OUTCOME)
      expect(await treeOf(root)).toEqual(before)
    })

    test.each(NO_FILES)('is not a file: %s', async (_what, path) => {
      expect(await upload(server.port, path)).toEqual(NO_FILE)
      expect(await treeOf(root)).toEqual(before)
    })
  })

  // `FILE.TXT` is `file.txt` on Windows: see below.
  test.each(INSIDE.filter(([what]) => what !== 'another case'))(
    'stays inside the directory: %s',
    async (_what, path, name) => {
      const outcome = await upload(server.port, path)
      // Some rows have the same destination.
      if ((await stored(name)) !== undefined && outcome.status === 403) return
      expect(outcome).toEqual(ARRIVED)
      expect(await stored(name)).toBe('uploaded')
    },
  )

  describe('case', () => {
    test('does not distinguish files', async () => {
      expect(await upload(server.port, '/uploads/FILE.TXT')).toEqual(REFUSED_OUTCOME)
      expect(await upload(server.port, '/uploads/Directory')).toEqual(NO_FILE)
      expect(await stored('file.txt')).toBe('old')
    })

    test('does not distinguish directories', async () => {
      expect(await upload(server.port, '/uploads/DIRECTORY/x')).toEqual(ARRIVED)
      expect(await stored('directory/x')).toBe('uploaded')
    })

    test('may differ between simultaneous uploads, and the first to finish gets the name', async () => {
      const clients = await Promise.all(
        ['/uploads/race.bin', '/uploads/RACE.BIN'].map(async (path) => {
          const connection = await RawConnection.open(server.port)
          const id = (await connection.exchange(createSession(path))).header('BITS-Session-Id') ?? ''
          return { connection, path, id }
        }),
      )
      // Sequential: Wine looks up names in another case before it links, so two concurrent links may both succeed.
      // Windows does both in one step.
      const statuses: (number | undefined)[] = []
      for (const { connection, path, id } of clients) {
        statuses.push(outcomeOf(await connection.exchange(fragment(path, id, Buffer.from(path)))).status)
      }
      expect(statuses).toEqual([200, 403])
      for (const { connection, path, id } of clients) {
        await connection.exchange(cancelSession(path, id))
        connection.end()
      }
    })

    test('of a new directory may differ between simultaneous uploads', async () => {
      const paths = Array.from({ length: 12 }, (_, n) => `/uploads/${n % 2 ? 'New/Sub' : 'NEW/sub'}/${n}.bin`)
      const clients = await Promise.all(
        paths.map(async (path) => {
          const connection = await RawConnection.open(server.port)
          const id = (await connection.exchange(createSession(path))).header('BITS-Session-Id') ?? ''
          return { connection, path, id }
        }),
      )
      const outcomes = await Promise.all(
        clients.map(async ({ connection, path, id }) =>
          outcomeOf(await connection.exchange(fragment(path, id, Buffer.from(path)))),
        ),
      )
      for (const { connection, path, id } of clients) {
        await connection.exchange(closeSession(path, id))
        connection.end()
      }
      expect(outcomes).toEqual(paths.map(() => ARRIVED))
    })
  })

  describe('short names', () => {
    /**
     * The short name that the system gives a file. Windows: `BITS-S~1`, which is refused by its form. Wine generates
     * four letters and a checksum, which only the file system can resolve.
     */
    const shortName = async (name: string): Promise<string> => {
      const listing = await wine('cmd', '/c', `dir /x C:\\uploads`)
      const [, found = ''] = new RegExp(`(\\S*~\\S*) +${name}\\s*$`, 'm').exec(listing) ?? []
      expect(found).not.toBe('')
      return found
    }

    test('do not lead to unfinished uploads', async () => {
      const short = await shortName('BITS-Sessions')
      expect(await upload(server.port, `/uploads/${short}/x.part`)).toEqual(REFUSED_OUTCOME)
      expect(await upload(server.port, `/uploads/${short}`)).toEqual(NO_FILE)
    })

    test('of a file refer to the file', async () => {
      await writeFile(join(root, 'a long name.txt'), 'old')
      const short = await shortName('a long name.txt')
      expect(await upload(server.port, `/uploads/${short}`)).toEqual(REFUSED_OUTCOME)
      expect(await stored('a long name.txt')).toBe('old')
    })
  })

  // Wine 8 cannot create Windows links (junctions and symbolic links), but resolves those of this machine.
  test('a directory that is a link to another place is refused', async () => {
    const [outside = ''] = await windowsDirectories('C:\\outside')
    await symlink(outside, join(root, 'link'))
    expect(await upload(server.port, '/uploads/link/x')).toEqual(REFUSED_OUTCOME)
    await symlink(join(root, 'BITS-Sessions'), join(root, 'staging'))
    expect(await upload(server.port, '/uploads/staging/x')).toEqual(REFUSED_OUTCOME)
    expect(await treeOf(localPath('C:\\outside'))).toEqual({})
  })

  test('the log has no error', () => {
    expect(server.errors).toEqual([])
  })
})
