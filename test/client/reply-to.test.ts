import { execFile } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import {
  constants,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import { type UploadOptions, uploadFile } from 'express-bits-upload/client'
import {
  faulty,
  type RecordedRequest,
  type Reply,
  received,
  type ScriptedServer,
} from '../support/scripted-server.js'
import { clientError, contentOf, FAST, KB, withFile, withServer } from '../support/upload-fixture.js'

const run = promisify(execFile)

/** A file of ten bytes in a separate directory, and a server with this reply. */
const withReply = (
  get: (request: RecordedRequest) => Reply,
  use: (place: {
    directory: string
    inside: (name: string) => string
    upload: (replyTo: string, options?: UploadOptions) => Promise<unknown>
    server: ScriptedServer
  }) => Promise<void>,
) => {
  const taken = faulty('Fragment', received(10, { 'BITS-Reply-URL': 'r' }))
  const script = (request: RecordedRequest) => (request.method === 'GET' ? get(request) : taken(request))
  return withFile(10, ({ directory, path }) =>
    withServer(script, (server) =>
      use({
        directory,
        server,
        inside: (name) => join(directory, name),
        upload: (replyTo, options) => uploadFile(path, server.url(), { ...FAST, ...options, replyTo }),
      }),
    ),
  )
}

/** Resolves once the pipe has a reader. */
async function openedForWriting(pipe: string): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      await setTimeout(10)
    }
  }
}

const thanks = (): Reply => ({ body: 'Thanks.' })

describe('an unusable replyTo is refused before anything is sent', () => {
  test.each([
    ['the source', 'file.bin', 'use another file; it is the one to upload.'],
    ['the source by another way', 'sub/../file.bin', 'use another file; it is the one to upload.'],
    ['a symbolic link to the source', 'soft', 'use another file; it is the one to upload.'],
    ['a hard link to the source', 'hard', 'use another file; it is the one to upload.'],
    ['a directory', 'sub', 'use a file; it is a directory.'],
    ['a directory that is not there', 'missing/', 'use a file; it is a directory.'],
  ])('%s', async (_, name, sentence) => {
    await withReply(thanks, async ({ directory, inside, upload, server }) => {
      await mkdir(inside('sub'))
      await symlink('file.bin', inside('soft'))
      await link(inside('file.bin'), inside('hard'))
      const replyTo = `${directory}/${name}`
      const refused = upload(replyTo)
      await expect(refused).rejects.toThrow(TypeError)
      await expect(refused).rejects.toThrow(
        `express-bits-upload/client: the option replyTo is ${JSON.stringify(replyTo)}: ${sentence}`,
      )
      expect(server.asked).toEqual([])
      expect((await readdir(directory)).sort()).toEqual(['file.bin', 'hard', 'soft', 'sub'])
      expect(await readFile(inside('file.bin'))).toEqual(contentOf(10))
    })
  })

  test.each([
    ['in a directory that is not there', 'missing/reply', /^The reply cannot be written: ENOENT.*missing/],
    ['in a file', 'file.bin/reply', /^The reply cannot be written: ENOTDIR/],
    ['a pipe that nobody reads', 'pipe', /^The reply cannot be written: no process reads ".*pipe"\.$/],
  ])('%s, as a local error', async (_, name, message) => {
    await withReply(thanks, async ({ inside, upload, server }) => {
      await run('mkfifo', [inside('pipe')])
      const error = await clientError(upload(inside(name)))
      expect(error).toMatchObject({ fatal: true, packet: undefined })
      expect(error.message).toMatch(message)
      expect(server.asked).toEqual([])
    })
  })
})

describe('a reply is written', () => {
  test('to a new file, without touching files with similar names', async () => {
    await withReply(thanks, async ({ directory, inside, upload }) => {
      await writeFile(inside('reply.part'), 'mine')
      await upload(inside('reply'))
      expect(await readFile(inside('reply'), 'utf8')).toBe('Thanks.')
      expect(await readFile(inside('reply.part'), 'utf8')).toBe('mine')
      expect(await readdir(directory)).toHaveLength(3)
    })
  })

  test('over an existing file, with its permissions', async () => {
    await withReply(thanks, async ({ directory, inside, upload }) => {
      await writeFile(inside('reply'), 'an older and longer one', { mode: 0o600 })
      await upload(inside('reply'))
      expect(await readFile(inside('reply'), 'utf8')).toBe('Thanks.')
      expect((await stat(inside('reply'))).mode & 0o777).toBe(0o600)
      expect(await readdir(directory)).toHaveLength(2)
    })
  })

  test.each([true, false])('to the target of a symbolic link; does the target exist? %s', async (there) => {
    await withReply(thanks, async ({ inside, upload }) => {
      await mkdir(inside('a/b'), { recursive: true })
      await symlink('a/b', inside('deep'))
      await symlink('deep/../reply', inside('link'))
      if (there) await writeFile(inside('a/reply'), 'older')
      await upload(inside('link'))
      expect(await readlink(inside('link'))).toBe('deep/../reply')
      expect(await readFile(inside('a/reply'), 'utf8')).toBe('Thanks.')
    })
  })

  test('to a pipe, however slowly it is read', async () => {
    const large = contentOf(300 * KB)
    await withReply(
      () => ({ body: large }),
      async ({ directory, inside, upload }) => {
        await run('mkfifo', [inside('pipe')])
        const reading = ['-c', 'exec <"$0"; sleep 0.3; exec cat', inside('pipe')]
        const reader = run('sh', reading, { encoding: 'buffer' })
        const first = await openedForWriting(inside('pipe'))
        await upload(inside('pipe'))
        await first.close()
        expect((await reader).stdout.equals(large)).toBe(true)
        expect((await stat(inside('pipe'))).isFIFO()).toBe(true)
        expect((await readdir(directory)).sort()).toEqual(['file.bin', 'pipe'])
      },
    )
  })
})

describe('a reply that turns out not to be writable', () => {
  test('is a local error, and is not tried again', async () => {
    await withReply(thanks, async ({ inside, upload, server }) => {
      await mkdir(inside('sub'))
      const onState = () => rmSync(inside('sub'), { recursive: true, force: true })
      const error = await clientError(upload(inside('sub/reply'), { onState }))
      expect(error).toMatchObject({ fatal: true, packet: undefined })
      expect(error.message).toMatch(/^The reply cannot be written: ENOENT/)
      expect(server.asked.filter((asked) => asked.startsWith('GET'))).toHaveLength(1)
    })
  })

  test('leaves no temporary file', async () => {
    await withReply(thanks, async ({ directory, inside, upload }) => {
      // A file cannot be renamed to a directory, which is created only during the upload.
      const onState = () => void mkdirSync(inside('reply'), { recursive: true })
      const error = await clientError(upload(inside('reply'), { onState }))
      expect(error).toMatchObject({ fatal: true, packet: undefined })
      expect(error.message).toMatch(/^The reply cannot be written: E(?:ISDIR|EXIST|NOTEMPTY)/)
      expect((await readdir(directory)).sort()).toEqual(['file.bin', 'reply'])
    })
  })
})
