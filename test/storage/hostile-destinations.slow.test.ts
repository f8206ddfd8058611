import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, FileStorage } from 'express-bits-upload'
import { describeOnSystems } from '../support/engines.js'
import { treeOf } from '../support/files.js'
import { INSIDE, NO_FILES, REFUSED } from '../support/hostile-destinations.js'
import { closeSession, createSession, fragment, RawConnection } from '../support/raw.js'
import { type Running, serve, temporaryDirectory } from '../support/serve.js'
import { mayMount, mountTmpfs, unmount } from '../support/tmpfs.js'

const CONTENT = Buffer.from('uploaded')

/** The response to Create-Session, and where the file is afterward. Every response must be an Ack. */
async function upload(port: number, path: string): Promise<{ status: number; code: string | undefined }> {
  const connection = await RawConnection.open(port)
  try {
    connection.write(createSession(path))
    const ack = await connection.ack()
    expect(ack.header('BITS-Packet-Type')).toBe('Ack')
    const code = ack.header('BITS-Error-Code')
    const id = ack.header('BITS-Session-Id')
    if (ack.status !== 200 || id === undefined) return { status: ack.status, code }
    connection.write(fragment(path, id, CONTENT))
    const last = await connection.ack()
    expect(last.header('BITS-Packet-Type')).toBe('Ack')
    connection.write(closeSession(path, id))
    await connection.ack()
    return { status: last.status, code: last.header('BITS-Error-Code') }
  } finally {
    connection.end()
  }
}

describe('a hostile destination', () => {
  let base: Awaited<ReturnType<typeof temporaryDirectory>>
  let root: string
  let outside: Record<string, string>
  let running: Running

  const start = async (options: BitsUploadOptions = {}) => {
    await running?.stop()
    running = await serve(options.storage ? options : { directory: root, ...options })
    // Opens the storage, which creates its directories.
    await running.bits.sessions()
  }

  beforeEach(async () => {
    base = await temporaryDirectory()
    root = join(base.path, 'root')
    await mkdir(join(base.path, 'outside'))
    await writeFile(join(base.path, 'outside', 'secret.txt'), 'secret')
    await mkdir(join(root, 'directory'), { recursive: true })
    await writeFile(join(root, 'file.txt'), 'old')
    outside = await treeOf(base.path, root)
    await start()
  })

  afterEach(async () => {
    await running.stop()
    expect(await treeOf(base.path, root)).toEqual(outside)
    await base.remove()
  })

  const stored = (name: string) => readFile(join(root, name), 'utf8').catch(() => undefined)

  test.each(REFUSED)('is refused: %s', async (_what, path) => {
    const before = await treeOf(root)
    expect(await upload(running.port, path)).toEqual({ status: 403, code: '0x80070005' })
    expect(await treeOf(root)).toEqual(before)
  })

  test.each(NO_FILES)('is not a file: %s', async (_what, path) => {
    expect(await upload(running.port, path)).toEqual({ status: 400, code: '0x80070057' })
  })

  test.each(INSIDE)('stays inside the directory: %s', async (_what, path, name) => {
    expect(await upload(running.port, path)).toEqual({ status: 200, code: undefined })
    expect(await stored(name)).toBe('uploaded')
  })

  test('composed and decomposed characters name one file', async () => {
    expect(await upload(running.port, '/uploads/%C3%A9')).toMatchObject({ status: 200 })
    expect(await upload(running.port, '/uploads/e%CC%81')).toEqual({ status: 403, code: '0x80070005' })
  })

  test('a directory that appears at the destination gets 400, and nothing is lost', async () => {
    await mkdir(join(root, 'late'))
    expect(await upload(running.port, '/uploads/late')).toEqual({ status: 400, code: '0x80070057' })
  })

  test('without createDirectories a missing directory gets 404', async () => {
    await start({ storage: new FileStorage({ directory: root, createDirectories: false }) })
    expect(await upload(running.port, '/uploads/no/such/x')).toEqual({ status: 404, code: '0x80070003' })
    expect(await upload(running.port, '/uploads/directory/x')).toMatchObject({ status: 200 })
    expect(Object.keys(await treeOf(root, join(root, 'BITS-Sessions')))).not.toContain('no')
  })

  describe.each([{ overwrite: false }, { overwrite: true }])('by a link, overwrite $overwrite', (options) => {
    beforeEach(() => start(options))

    const taken = options.overwrite ? { status: 200, code: undefined } : { status: 403, code: '0x80070005' }
    const refused = { status: 403, code: '0x80070005' }

    test('a directory that is a link out of the root is refused', async () => {
      await symlink(join(base.path, 'outside'), join(root, 'out'))
      expect(await upload(running.port, '/uploads/out/x')).toEqual(refused)
      expect(await upload(running.port, '/uploads/out/secret.txt')).toEqual(refused)
      expect(await upload(running.port, '/uploads/out/new/x')).toEqual(refused)
    })

    test('a relative link out of the root is refused, and so is a chain of links', async () => {
      await symlink('../outside', join(root, 'one'))
      await symlink('one', join(root, 'two'))
      expect(await upload(running.port, '/uploads/one/x')).toEqual(refused)
      expect(await upload(running.port, '/uploads/two/x')).toEqual(refused)
    })

    test('a file that is a link out of the root is at most replaced, never written through', async () => {
      await symlink(join(base.path, 'outside', 'secret.txt'), join(root, 'secret'))
      expect(await upload(running.port, '/uploads/secret')).toEqual(taken)
      expect(await stored('secret')).toBe(options.overwrite ? 'uploaded' : 'secret')
    })

    test('a dangling link is at most replaced, never followed', async () => {
      await symlink(join(base.path, 'outside', 'new.txt'), join(root, 'nowhere'))
      expect(await upload(running.port, '/uploads/nowhere')).toEqual(taken)
      expect(await stored('nowhere')).toBe(options.overwrite ? 'uploaded' : undefined)
    })

    test('a directory that is a dangling link is refused', async () => {
      await symlink(join(base.path, 'outside', 'new'), join(root, 'nowhere'))
      expect(await upload(running.port, '/uploads/nowhere/x')).toEqual(refused)
      expect(await upload(running.port, '/uploads/nowhere/a/b/x')).toEqual(refused)
    })

    test('a link to a directory counts as a directory', async () => {
      await symlink(join(base.path, 'outside'), join(root, 'out'))
      await symlink('directory', join(root, 'in'))
      for (const name of ['out', 'in']) {
        const answer = await upload(running.port, `/uploads/${name}`)
        expect(answer).toEqual({ status: 400, code: '0x80070057' })
      }
      expect((await treeOf(root)).in).toBe('-> directory')
    })

    test('links that lead in a circle are refused', async () => {
      await symlink('b', join(root, 'a'))
      await symlink('a', join(root, 'b'))
      expect(await upload(running.port, '/uploads/a/x')).toEqual(refused)
    })

    test('a link to the staged data is refused', async () => {
      await symlink('BITS-Sessions', join(root, 'staging'))
      expect(await upload(running.port, '/uploads/staging/x')).toEqual(refused)
    })

    test('a link that stays inside the root is followed', async () => {
      await symlink('directory', join(root, 'in'))
      expect(await upload(running.port, '/uploads/in/a/x')).toMatchObject({ status: 200 })
      expect(await stored('directory/a/x')).toBe('uploaded')
    })

    test('a link that replaces a directory during the upload is refused at publication', async () => {
      const path = '/uploads/directory/x'
      const connection = await RawConnection.open(running.port)
      connection.write(createSession(path))
      const id = (await connection.ack()).header('BITS-Session-Id') ?? ''
      await rm(join(root, 'directory'), { recursive: true })
      await symlink(join(base.path, 'outside'), join(root, 'directory'))
      connection.write(fragment(path, id, CONTENT))
      expect((await connection.ack()).status).toBe(403)
      connection.end()
    })

    test('a file that replaces a directory during the upload gets 403', async () => {
      const path = '/uploads/directory/x'
      const connection = await RawConnection.open(running.port)
      connection.write(createSession(path))
      const id = (await connection.ack()).header('BITS-Session-Id') ?? ''
      await rm(join(root, 'directory'), { recursive: true })
      await writeFile(join(root, 'directory'), 'a file')
      connection.write(fragment(path, id, CONTENT))
      expect((await connection.ack()).status).toBe(403)
      connection.end()
    })
  })

  describeOnSystems('mounts that this process may make', mayMount, () => {
    test('on another file system is refused before anything is sent', async () => {
      mountTmpfs(join(root, 'directory'), 1024 * 1024)
      try {
        const refusal = { status: 403, code: '0x80070005' }
        expect(await upload(running.port, '/uploads/directory/x')).toEqual(refusal)
        expect(await upload(running.port, '/uploads/directory/a/x')).toEqual(refusal)
        expect(running.logger.lines.join()).toMatch(/different file system/)
      } finally {
        unmount(join(root, 'directory'))
      }
    })
  })

  test('the root itself may be a link', async () => {
    await symlink(root, join(base.path, 'link'))
    await start({ directory: join(base.path, 'link') })
    expect(await upload(running.port, '/uploads/a/x')).toMatchObject({ status: 200 })
    expect(await stored('a/x')).toBe('uploaded')
    await rm(join(base.path, 'link'))
  })
})
