import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileSessionStore, FileStorage } from 'express-bits-upload'
import { describeOnSystems } from '../support/engines.js'
import { fixtures } from '../support/fixtures.js'
import { interceptedFileSystem } from '../support/intercepted-fs.js'
import { openSession } from '../support/raw.js'

const { directory: newDirectory, start, connect } = fixtures()

/** Performance figures that are the same on every machine. Those that need a separate process are in the slow tests. */

const TRIES = 5

// Other systems cannot pin directories, and have no session journal.
describeOnSystems(
  'figures of Linux',
  () => process.platform === 'linux',
  () => {
    describe.each([
      { store: 'shared', parent: 'new', most: 13 },
      { store: 'shared', parent: 'old', most: 13 },
      { store: 'journal', parent: 'new', most: 8 },
      { store: 'journal', parent: 'old', most: 8 },
    ])('a Create-Session under maxSessionsPerUser', ({ store, parent, most }) => {
      test(`makes at most ${most} file system calls (store: ${store}, directory: ${parent})`, async () => {
        const directory = await newDirectory()
        await mkdir(join(directory, 'old'))
        let names: string[] = []
        const calls = interceptedFileSystem(({ name }) => void names.push(name))
        const running = await start({
          storage: new FileStorage({ directory }, calls),
          sessionStore: new FileSessionStore({ directory, shared: store === 'shared' }, calls),
          maxSessionsPerUser: 100,
          user: () => 'ann',
        })
        const connection = await connect(running)
        const tries: string[][] = []
        for (let n = 0; n <= TRIES; n++) {
          names = []
          await openSession(connection, `/uploads/${parent}/${n}.bin`)
          // The first one of a user, and of a directory, costs more.
          if (n > 0) tries.push(names)
        }
        // Housekeeping makes calls, too.
        const [least = []] = tries.sort((one, other) => one.length - other.length)
        expect({ least, isWithin: least.length <= most }).toEqual({ least, isWithin: true })
      })
    })
  },
)
