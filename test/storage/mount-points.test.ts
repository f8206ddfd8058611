import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { hasMountPoints } from '../../lib/storage/file/mount-points.js'
import { type FileSystem, nodeFileSystem } from '../../lib/util/fs.js'
import { describeOnSystems } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { until } from '../support/soak.js'
import { tripsToThreadPool } from '../support/thread-pool-trips.js'

const { directory: newDirectory } = fixtures()

/** File system calls for which these paths are mount points. */
function mountedAt(...paths: string[]): FileSystem {
  const lines = paths.map((path) => `36 35 98:0 / ${path} rw,noatime master:1 - nfs server:/share rw\n`)
  return withMountInfo(async () => lines.join(''))
}

function withMountInfo(readFile: () => Promise<string>): FileSystem {
  const calls: FileSystem = { ...nodeFileSystem, realpath: async (path) => path }
  Reflect.set(calls, 'readFile', readFile)
  return calls
}

describeOnSystems(
  'mount points on Linux',
  () => process.platform === 'linux',
  () => {
    test.each([
      { directory: '/data', expected: true },
      { directory: '/data/two', expected: true },
      { directory: '/dat', expected: false },
      { directory: '/data/one', expected: false },
      { directory: '/data/two/three', expected: false },
    ])('in $directory itself count, not those above or further below ($expected)', async (row) => {
      const calls = mountedAt('/', '/proc', '/data', '/data/one', '/data/two', '/data/two/three', '/database')
      expect(await hasMountPoints(row.directory, calls)).toBe(row.expected)
    })

    test.each([
      { escaped: '/with\\040space', directory: '/with space' },
      { escaped: '/back\\134slash', directory: '/back\\slash' },
      { escaped: '/line\\012feed', directory: '/line\nfeed' },
      { escaped: '/\\134040', directory: '/\\040' },
      { escaped: '/füür', directory: '/füür' },
    ])('are found in a directory that is listed as $escaped', async ({ escaped, directory }) => {
      expect(await hasMountPoints(directory, mountedAt(`${escaped}/mounted`))).toBe(true)
      expect(await hasMountPoints(escaped, mountedAt(`${escaped}/mounted`))).toBe(escaped === directory)
    })

    test('of this system are found', async () => {
      expect(await hasMountPoints('/', nodeFileSystem)).toBe(true)
      expect(await hasMountPoints(await newDirectory(), nodeFileSystem)).toBe(false)
    })

    test('are found by the path of a symbolic link to their directory', async () => {
      const link = join(await newDirectory(), 'link')
      await symlink('/', link)
      expect(await hasMountPoints(link, nodeFileSystem)).toBe(true)
    })

    test('may be there if the system does not list them', async () => {
      const calls = withMountInfo(() => Promise.reject(new Error('EACCES')))
      expect(await hasMountPoints('/', calls)).toBe(true)
    })

    describe('a FileStorage', () => {
      /** @returns a storage that has probed its directory. */
      async function openStorage(mountInfo: (directory: string) => FileSystem): Promise<FileStorage> {
        const directory = await newDirectory()
        const { readFile } = mountInfo(directory)
        const storage = new FileStorage({ directory }, { readFile })
        await storage.open()
        await storage.has('first')
        return storage
      }

      test('looks at names on the main thread', async () => {
        const storage = await openStorage(() => mountedAt('/proc'))
        // A busy machine leaves calls to the thread pool.
        await until(async () => (await tripsToThreadPool(() => storage.has('other'))) === 0)
      })

      test.each([
        {
          title: 'if one of them is a mount point',
          mountInfo: (directory: string) => mountedAt(join(directory, 'mounted')),
        },
        {
          title: 'if mount points are unknown',
          mountInfo: () => withMountInfo(() => Promise.reject(new Error('EACCES'))),
        },
      ])('looks at names in the thread pool $title', async ({ mountInfo }) => {
        const storage = await openStorage(mountInfo)
        for (let n = 0; n < 10; n++) {
          expect(await tripsToThreadPool(() => storage.has('other'))).toBeGreaterThanOrEqual(1)
        }
      })
    })
  },
)
