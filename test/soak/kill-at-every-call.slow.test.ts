import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { sessionKey } from '../../lib/protocol/session-id.js'
import { bytes } from '../support/bytes.js'
import { type ChildOptions, ChildServer } from '../support/child-server.js'
import { stagedFiles } from '../support/files.js'
import { ResumingClient } from '../support/resuming-client.js'
import { temporaryDirectory } from '../support/serve.js'
import { tell, until } from '../support/soak.js'

const FILE = bytes(3000)
const OLD = Buffer.from('the old file')

/**
 * With shared sessions, each kill leaves a lock for which the next process waits ten seconds. These are therefore
 * killed only before every twelfth call; `SOAK_EVERY=1` takes half an hour.
 */
const SHARED_EVERY = Number(process.env.SOAK_EVERY ?? 12)

/** The folder of markers that tell how many sessions each user has open. */
const MARKERS = 'users'
/** Milliseconds: enough for the lock of a killed process to become stale, and for a sweep. */
const PATIENCE = 30_000

const VARIANTS: { what: string; options: ChildOptions; isOldThere: boolean; every?: number }[] = [
  { what: 'a new file', options: {}, isOldThere: false },
  { what: 'a file that is replaced', options: { overwrite: true }, isOldThere: true },
  {
    what: 'a new file, its session shared',
    // Sweeps every second. Processes that share a directory start their first sweep within a minute, at random.
    options: { shared: true, cleanupInterval: 1 },
    isOldThere: false,
    every: SHARED_EVERY,
  },
  { what: 'a user with a limit of sessions', options: { maxSessionsPerUser: 1000 }, isOldThere: false },
]

describe.each(VARIANTS)(
  'a server that is killed in an upload of $what',
  ({ options, isOldThere, every = 1 }) => {
    test('before its file system calls loses nothing, publishes nothing wrong and leaks nothing', async () => {
      const directory = await temporaryDirectory()
      const uploads = join(directory.path, 'directory')
      let server = await ChildServer.start(directory.path, 0, options, true)
      const { port } = server
      let kills = 0
      try {
        for (let before = 0; ; before += every) {
          const name = `${before}.bin`
          const destination = join(uploads, name)
          if (isOldThere) {
            await mkdir(uploads, { recursive: true })
            await writeFile(destination, OLD)
          }
          const path = `/uploads/directory/${name}`
          const client = new ResumingClient({ port, path, file: FILE, fragmentSize: 1000 })
          server.requestFs({ fs: 'kill', before })
          const upload = client.finish(60_000)
          // Calls of a sweep count, too, so the kill may come after the upload has ended.
          const report = upload.then(() => server.reportFs())
          const survived = await Promise.race([server.ended(), report])
          if (survived) {
            tell(`an upload makes ${survived.calls} calls; ${kills} kills`)
            break
          }
          kills++
          tell(`killed before call ${before}`)
          const there = await readFile(destination).catch(() => undefined)
          const isWhole = there === undefined || there.equals(FILE) || (isOldThere && there.equals(OLD))
          expect([before, isWhole]).toEqual([before, true])
          server = await ChildServer.start(directory.path, port, options, true)
          await upload
          expect((await readFile(destination)).equals(FILE)).toBe(true)
          await expectNothingStaged(directory.path, server, client)
        }
        expect(kills).toBeGreaterThan(30 / every)
        await server.kill()
        server = await ChildServer.start(directory.path, port, {
          ...options,
          sessionTimeout: 0.2,
          cleanupInterval: 0.1,
        })
        await untilNothingRemains(directory.path, server)
        for (const name of await readdir(uploads)) {
          expect([name, (await stat(join(uploads, name))).size]).toEqual([name, FILE.length])
        }
      } finally {
        await server.kill()
        await directory.remove()
      }
    }, 3_600_000)
  },
)

/**
 * Staged data whose session ended just before the kill is removed by the first sweep. After a kill between the creation
 * of staged data and the Ack of Create-Session, the session stays until it expires: without bytes, because no client
 * knows it.
 */
async function expectNothingStaged(
  directory: string,
  server: ChildServer,
  client: ResumingClient,
): Promise<void> {
  const known = `${sessionKey(client.id ?? '')}.part`
  const isUnknown = async (name: string) =>
    name.endsWith('.part') &&
    name !== known &&
    (await stat(join(directory, 'BITS-Sessions', name)).catch(() => undefined))?.size === 0
  const unexpected = async () => {
    const names = (await stagedFiles(directory)).filter((name) => name !== MARKERS)
    const unknown = await Promise.all(names.map(isUnknown))
    return {
      names: names.filter((_name, n) => !unknown[n]),
      withoutSession: Math.max(unknown.filter(Boolean).length - (await server.figures()).sessions, 0),
    }
  }
  await until(async () => {
    const { names, withoutSession } = await unexpected()
    return names.length === 0 && withoutSession === 0
  }, PATIENCE).catch(() => {})
  expect(await unexpected()).toEqual({ names: [], withoutSession: 0 })
}

/** Once the sessions have timed out, neither they nor anything staged or created for them remains. */
async function untilNothingRemains(directory: string, server: ChildServer): Promise<void> {
  const remains = async () => [
    ...(await stagedFiles(directory)).filter((name) => name !== MARKERS),
    ...(await readdir(join(directory, 'directory'))).filter((name) => name.startsWith('.')),
    ...Array.from({ length: (await server.figures()).sessions }, () => 'an open session'),
  ]
  await until(async () => (await remains()).length === 0, PATIENCE).catch(() => {})
  expect(await remains()).toEqual([])
}
