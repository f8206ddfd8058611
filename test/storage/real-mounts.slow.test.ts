import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, FileStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { describeOnSystems, describeWithEngine, isPosix } from '../support/engines.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession } from '../support/raw.js'
import { until } from '../support/soak.js'
import { mayMount, mountTmpfs, unmount } from '../support/tmpfs.js'

const { directory: newDirectory, start, connect, afterwards } = fixtures()

const FILE = bytes(300_000)
const MiB = 1024 * 1024

/** @returns whether it succeeded. */
const run = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
const outputOf = (command: string, ...args: string[]): string =>
  spawnSync(command, args, { encoding: 'utf8' }).stdout

/** Mounts something until the end of the test. */
function mount(path: string, ...args: string[]): boolean {
  if (!run('mount', ...args, path)) return false
  afterwards(() => unmount(path))
  return true
}

function mountUntilEnd(directory: string, size: number): void {
  expect(mountTmpfs(directory, size)).toBe(true)
  afterwards(() => unmount(directory))
}

/** Uploads a file to a new server, in two fragments. @returns the status that ended the upload, and the log. */
async function upload(options: BitsUploadOptions, path: string): Promise<{ status: number; log: string }> {
  const running = await start(options)
  const connection = await connect(running)
  const created = await connection.exchange(createSession(path))
  const id = created.header('BITS-Session-Id')
  const log = () => running.logger.lines.join('\n')
  if (created.status !== 200 || !id) return { status: created.status, log: log() }
  for (const [first, last] of [
    [0, 99_999],
    [100_000, FILE.length - 1],
  ]) {
    const ack = await connection.exchange(fragment(path, id, FILE, first, last))
    if (ack.status !== 200) return { status: ack.status, log: log() }
  }
  return { status: (await connection.exchange(closeSession(path, id))).status, log: log() }
}

/** A kind of file system for the upload directory. */
interface Kind {
  readonly what: string
  /** The program that creates one. */
  readonly program?: string
  /** Mounts an empty one. @returns a clean-up function; `undefined` when this system cannot mount it. */
  readonly make: (directory: string) => (() => void) | undefined
}

const KINDS: readonly Kind[] = [
  { what: 'tmpfs', make: (directory) => undone(directory, mountTmpfs(directory, 16 * MiB)) },
  { what: 'ext4', program: 'mkfs.ext4', make: (directory) => mountImage(directory, 'mkfs.ext4', '-q', '-F') },
  { what: 'vfat', program: 'mkfs.vfat', make: (directory) => mountImage(directory, 'mkfs.vfat') },
  { what: 'exfat', program: 'mkfs.exfat', make: (directory) => mountImage(directory, 'mkfs.exfat') },
  { what: 'overlayfs', make: mountOverlay },
]

const undone = (path: string, isMounted: boolean) => (isMounted ? () => unmount(path) : undefined)

function mountImage(directory: string, program: string, ...args: string[]): (() => void) | undefined {
  const image = `${directory}.image`
  writeFileSync(image, Buffer.alloc(32 * MiB))
  const isMounted = run(program, ...args, image) && run('mount', '-o', 'loop', image, directory)
  const undo = () => {
    if (isMounted) unmount(directory)
    rmSync(image)
  }
  if (isMounted) return undo
  undo()
  return undefined
}

function mountOverlay(directory: string): (() => void) | undefined {
  // It cannot be on another overlay, such as the root of a container.
  const base = mkdtempSync(join(tmpdir(), 'bits-overlay-'))
  const hasBase = mountTmpfs(base, 16 * MiB)
  const [lower = '', upper = '', work = ''] = ['lower', 'upper', 'work'].map((name) => join(base, name))
  for (const path of [join(lower, 'from-below'), upper, work]) mkdirSync(path, { recursive: true })
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  const isMounted = hasBase && run('mount', '-t', 'overlay', 'overlay', '-o', options, directory)
  const undo = () => {
    if (isMounted) unmount(directory)
    if (hasBase) unmount(base)
    rmSync(base, { recursive: true, force: true })
  }
  if (isMounted) return undo
  undo()
  return undefined
}

function canMount({ make }: Kind): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'bits-mount-'))
  const undo = make(directory)
  undo?.()
  rmSync(directory, { recursive: true, force: true })
  return undo !== undefined
}

/** The program is in a Debian package, but the kernel has to support the file system. */
function describeKind(kind: Kind, body: () => void): void {
  const { what, program } = kind
  const onSystem = () => describeOnSystems(`${what} in its kernel`, () => canMount(kind), body)
  if (program === undefined) onSystem()
  else describeWithEngine(program, () => run('which', program), onSystem)
}

for (const kind of mayMount() ? KINDS : []) {
  describeKind(kind, () => {
    test('uploads are published, new and over old files', async () => {
      const directory = await newDirectory()
      const undo = kind.make(directory)
      expect(undo).toBeDefined()
      afterwards(() => undo?.())
      for (const overwrite of [false, true, true]) {
        const name = overwrite ? 'from-below/file.bin' : 'file.bin'
        expect(await upload({ directory, overwrite }, `/uploads/${name}`)).toMatchObject({ status: 200 })
        expect((await readFile(join(directory, name))).equals(FILE)).toBe(true)
      }
      expect((await upload({ directory }, '/uploads/file.bin')).status).not.toBe(200)
      expect(await stagedFiles(directory)).toEqual([])
      // A sweep may be listing them.
      await until(async () => (await openFiles(directory)).length === 0)
    })
  })
}

describeOnSystems('mounts that this process may make', mayMount, () => {
  describe('a directory of the same file system that is mounted inside the uploads', () => {
    async function withBindMount(...options: string[]): Promise<{ directory: string; tenant: string }> {
      const base = await newDirectory()
      const directory = join(base, 'uploads')
      const tenant = join(base, 'tenant')
      await mkdir(join(directory, 'tenant'), { recursive: true })
      await mkdir(tenant)
      expect(mount(join(directory, 'tenant'), '--bind', tenant)).toBe(true)
      if (options.length > 0) {
        expect(run('mount', '-o', `remount,bind,${options.join()}`, join(directory, 'tenant'))).toBe(true)
      }
      return { directory, tenant }
    }

    test.each([false, true])('receives files by a copy, with overwrite %s', async (overwrite) => {
      const { directory, tenant } = await withBindMount()
      if (overwrite) await writeFile(join(tenant, 'file.bin'), 'old')
      expect(await upload({ directory, overwrite }, '/uploads/tenant/file.bin')).toMatchObject({
        status: 200,
      })
      expect((await readFile(join(tenant, 'file.bin'))).equals(FILE)).toBe(true)
      expect((await stat(join(tenant, 'file.bin'))).mode & 0o777).toBe(0o666 & ~process.umask())
      expect(await readdir(tenant)).toEqual(['file.bin'])
      expect(await stagedFiles(directory)).toEqual([])
    })

    test('is refused at Create-Session if it is read-only, and the log says what to do', async () => {
      const { directory } = await withBindMount('ro')
      const { status, log } = await upload({ directory }, '/uploads/tenant/file.bin')
      expect(status).toBe(403)
      expect(log).toMatch(/Nothing can be written to .*tenant.*EROFS.*mount it writable/)
      expect(await stagedFiles(directory)).toEqual([])
    })

    test('is accepted once it is writable', async () => {
      const { directory } = await withBindMount('ro')
      const running = await start({ directory })
      const connection = await connect(running)
      expect((await connection.exchange(createSession('/uploads/tenant/file.bin'))).status).toBe(403)
      expect(run('mount', '-o', 'remount,bind,rw', join(directory, 'tenant'))).toBe(true)
      expect(await openSession(connection, '/uploads/tenant/file.bin')).toMatch(/^\{/)
    })
  })

  describe('staged data on another file system', () => {
    test('is refused by open(), with a remedy', async () => {
      const directory = await newDirectory()
      const staging = join(directory, 'BITS-Sessions')
      await mkdir(staging)
      mountUntilEnd(staging, MiB)
      await expect(new FileStorage({ directory }).open()).rejects.toThrow(
        /different file system .* unmount it/,
      )
    })
  })

  describeWithEngine(
    'setfacl',
    () => run('which', 'setfacl'),
    () => {
      test.each([
        { what: 'in a directory that exists', name: 'shared/file', overwrite: false },
        { what: 'over an old file', name: 'shared/file', overwrite: true },
        { what: 'in directories that are made', name: 'shared/new/deep/file', overwrite: false },
      ])(
        'a published file is like one created in its directory, $what: its group and its ACL',
        async ({ name, overwrite }) => {
          const directory = await newDirectory()
          mountUntilEnd(directory, 16 * MiB)
          const shared = join(directory, 'shared')
          await mkdir(shared)
          await chown(shared, 0, 12_345)
          await chmod(shared, 0o2775)
          expect(run('setfacl', '-d', '-m', 'u:23456:rwx,g:34567:r-x', shared)).toBe(true)
          expect(await upload({ directory, overwrite }, `/uploads/${name}`)).toMatchObject({ status: 200 })
          const published = join(directory, name)
          await writeFile(`${published}-compared`, '')
          expect((await stat(published)).gid).toBe(12_345)
          const acl = outputOf('getfacl', '-n', '-c', published)
          expect(acl).toContain('user:23456:rw')
          expect(acl).toBe(outputOf('getfacl', '-n', '-c', `${published}-compared`))
        },
      )
    },
  )
})

describeOnSystems('modes of files', isPosix, () => {
  const modeOf = async (path: string) => (await stat(path)).mode & 0o7777

  test('of staged data are 0700 and 0600, even in a folder with a different mode', async () => {
    const directory = await newDirectory()
    await mkdir(join(directory, 'BITS-Sessions'), { mode: 0o755 })
    const storage = new FileStorage({ directory, fileMode: 0o644 })
    await storage.open()
    expect(await modeOf(join(directory, 'BITS-Sessions'))).toBe(0o700)
    const one = { uploadId: '1'.repeat(32), destination: 'file', total: 0 }
    await storage.has(one.destination)
    await storage.begin(one)
    expect(await modeOf(storage.path(one))).toBe(0o600)
    const other = { uploadId: '2'.repeat(32), destination: 'a/b/file', total: 0 }
    await storage.begin(other)
    expect(await modeOf(storage.path(other))).toBe(0o600)
  })

  test('of files and directories are as configured, whatever the umask', async () => {
    const directory = await newDirectory()
    const storage = new FileStorage({ directory, fileMode: 0o666, directoryMode: 0o777 })
    expect(await upload({ storage }, '/uploads/a/b/file')).toMatchObject({ status: 200 })
    expect(await modeOf(join(directory, 'a/b/file'))).toBe(0o666)
    expect(await modeOf(join(directory, 'a/b'))).toBe(0o777)
    expect(await modeOf(join(directory, 'a'))).toBe(0o777)
  })

  test('of files are by default those of any file created there', async () => {
    const directory = await newDirectory()
    expect(await upload({ directory }, '/uploads/a/file')).toMatchObject({ status: 200 })
    expect(await modeOf(join(directory, 'a/file'))).toBe(0o666 & ~process.umask())
    expect(await modeOf(join(directory, 'a'))).toBe(0o777 & ~process.umask())
  })

  test.each([{ fileMode: -1 }, { directoryMode: 0o10000 }, { fileMode: 6.4 }])('%j is refused', (options) => {
    expect(() => new FileStorage({ directory: 'x', ...options })).toThrow(/0o7777, 0o640 for example/)
  })
})
