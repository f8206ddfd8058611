import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { BitsUploadOptions } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { ChildServer } from '../support/child-server.js'
import { stagedFiles } from '../support/files.js'
import { ResumingClient } from '../support/resuming-client.js'
import { temporaryDirectory } from '../support/serve.js'
import { tell, times, until } from '../support/soak.js'

const FILE = bytes(3000)
const OLD = Buffer.from('the old file')

/** Calls that are left out between two kills: none in a soak. */
const STEP = Number(process.env.SOAK_STEP ?? times(13, 5))

const VARIANTS: { what: string; options: BitsUploadOptions; isOldThere: boolean }[] = [
  { what: 'a new file', options: {}, isOldThere: false },
  { what: 'a file that is replaced', options: { overwrite: true }, isOldThere: true },
]

describe.each(VARIANTS)('a server that is killed in an upload of $what', ({ options, isOldThere }) => {
  test('before any of its file system calls loses nothing and publishes nothing wrong', async () => {
    const directory = await temporaryDirectory()
    let server = await ChildServer.start(directory.path, 0, options, true)
    const { port } = server
    let kills = 0
    try {
      for (let before = 0; ; before += STEP) {
        const name = `directory/${before}.bin`
        const destination = join(directory.path, name)
        if (isOldThere) {
          await mkdir(join(directory.path, 'directory'), { recursive: true })
          await writeFile(destination, OLD)
        }
        const client = new ResumingClient({ port, path: `/uploads/${name}`, file: FILE, fragmentSize: 1000 })
        server.requestFs({ fs: 'kill', before })
        const upload = client.finish(60_000)
        // Calls of a sweep count too, so that the kill may come after the upload has ended.
        const report = upload.then(() => server.reportFs())
        const survived = await Promise.race([server.ended(), report])
        if (survived) {
          tell(`an upload makes ${survived.calls} calls; ${kills} kills`)
          break
        }
        kills++
        const there = await readFile(destination).catch(() => undefined)
        const isWhole = there === undefined || there.equals(FILE) || (isOldThere && there.equals(OLD))
        expect([before, isWhole]).toEqual([before, true])
        server = await ChildServer.start(directory.path, port, options, true)
        await upload
        expect((await readFile(destination)).equals(FILE)).toBe(true)
        // What a kill left between the end of a session and the removal of its staged data is the first sweep's.
        const isClean = async () => (await stagedFiles(directory.path)).length === 0
        await until(isClean).catch(() => {})
        expect([before, await stagedFiles(directory.path)]).toEqual([before, []])
      }
      expect(kills).toBeGreaterThan(3)
      await expectOnlyFiles(join(directory.path, 'directory'))
    } finally {
      await server.kill()
      await directory.remove()
    }
  }, 600_000)
})

/** A kill between two calls may leave a file without bytes that was to be staged data, or a probe. */
async function expectOnlyFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const { size } = await stat(join(directory, name))
    if (name.startsWith('.bits-')) expect([name, size]).toEqual([name, 0])
    else expect([name, size]).toEqual([name, FILE.length])
  }
}
