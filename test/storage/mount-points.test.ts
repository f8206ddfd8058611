import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { mountPointsIn } from '../../lib/storage/file/mount-points.js'
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
    test('are the names in a directory, not those above or further below', async () => {
      const calls = mountedAt('/', '/proc', '/data', '/data/one', '/data/two', '/data/two/three', '/database')
      expect(await mountPointsIn('/data', calls)).toEqual(new Set(['one', 'two']))
      expect(await mountPointsIn('/dat', calls)).toEqual(new Set())
      expect(await mountPointsIn('/data/two', calls)).toEqual(new Set(['three']))
    })

    test('may have names with spaces, backslashes and other characters', async () => {
      const calls = mountedAt('/data/with\\040space', '/data/back\\134slash', '/data/füür', '/data/\\134040')
      expect(await mountPointsIn('/data', calls)).toEqual(
        new Set(['with space', 'back\\slash', 'füür', '\\040']),
      )
    })

    test('of this system are found', async () => {
      expect(await mountPointsIn('/', nodeFileSystem)).toContain('proc')
    })

    test('are found by the path of a symbolic link to their directory', async () => {
      const link = join(await newDirectory(), 'link')
      await symlink('/', link)
      expect(await mountPointsIn(link, nodeFileSystem)).toContain('proc')
    })

    test('are unknown if the system does not list them', async () => {
      const calls = withMountInfo(() => Promise.reject(new Error('EACCES')))
      expect(await mountPointsIn('/', calls)).toBeUndefined()
    })

    describe('a FileStorage', () => {
      /** @returns a storage that has probed its directory. */
      async function openStorage(options: { readonly mounted?: string; readonly isListed?: boolean }) {
        const directory = await newDirectory()
        const { readFile } =
          options.isListed === false
            ? withMountInfo(() => Promise.reject(new Error('EACCES')))
            : mountedAt(join(directory, options.mounted ?? 'mounted'))
        const storage = new FileStorage({ directory }, { readFile })
        await storage.open()
        await storage.has('first')
        return storage
      }

      test('looks at a name on the main thread', async () => {
        const storage = await openStorage({})
        // A busy machine leaves calls to the thread pool.
        await until(async () => (await tripsToThreadPool(() => storage.has('other'))) === 0)
      })

      test('looks at a mount point through the thread pool', async () => {
        const storage = await openStorage({ mounted: 'mounted' })
        await until(async () => (await tripsToThreadPool(() => storage.has('other'))) === 0)
        expect(await tripsToThreadPool(() => storage.has('mounted'))).toBeGreaterThanOrEqual(1)
      })

      test('looks at all names through the thread pool if mount points are unknown', async () => {
        const storage = await openStorage({ isListed: false })
        for (let n = 0; n < 10; n++) {
          expect(await tripsToThreadPool(() => storage.has('other'))).toBeGreaterThanOrEqual(1)
        }
      })
    })
  },
)
