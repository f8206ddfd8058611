import { spawnSync } from 'node:child_process'
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type BitsUploadOptions, FileStorage } from 'express-bits-upload'
import { bytes } from '../support/bytes.js'
import { describeWithEngine } from '../support/engines.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { closeSession, createSession, fragment, openSession } from '../support/raw.js'
import { until } from '../support/soak.js'
import { mayMount, mountTmpfs, unmount } from '../support/tmpfs.js'

const { directory: newDirectory, start, connect, afterwards } = fixtures()

const FILE = bytes(300_000)
const MiB = 1024 * 1024

const run = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
const outputOf = (command: string, ...args: string[]): string =>
  spawnSync(command, args, { encoding: 'utf8' }).stdout

const isMountable = mayMount()
if (!isMountable && process.env.CI && process.getuid?.() === 0) {
  throw new Error('In CI root has to be able to mount file systems.')
}

/** Mounts something until the end of the test. */
function mount(path: string, ...args: string[]): boolean {
  if (!run('mount', ...args, path)) return false
  afterwards(() => unmount(path))
  return true
}

/** Uploads a file to a server of its own, in two fragments. @returns the status that ended it, and the log. */
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

/** The ways in which a directory of uploads may be on another kind of file system. */
const FILE_SYSTEMS: { what: string; make: (directory: string) => Promise<boolean> }[] = [
  { what: 'tmpfs', make: async (directory) => mountOf(directory, () => mountTmpfs(directory, 16 * MiB)) },
  { what: 'ext4', make: (directory) => mountImage(directory, 'mkfs.ext4', '-q', '-F') },
  { what: 'vfat', make: (directory) => mountImage(directory, 'mkfs.vfat') },
  { what: 'exfat', make: (directory) => mountImage(directory, 'mkfs.exfat') },
  { what: 'overlayfs', make: mountOverlay },
]

function mountOf(path: string, make: () => boolean): boolean {
  if (!make()) return false
  afterwards(() => unmount(path))
  return true
}

async function mountImage(directory: string, ...makeFileSystem: string[]): Promise<boolean> {
  const image = join(await newDirectory(), 'image')
  await writeFile(image, Buffer.alloc(32 * MiB))
  const [program = '', ...args] = makeFileSystem
  return run(program, ...args, image) && mount(directory, '-o', 'loop', image)
}

async function mountOverlay(directory: string): Promise<boolean> {
  // Not on another overlay, as the root of a container is one.
  const base = await newDirectory()
  if (!mountOf(base, () => mountTmpfs(base, 16 * MiB))) return false
  const [lower = '', upper = '', work = ''] = ['lower', 'upper', 'work'].map((name) => join(base, name))
  for (const path of [lower, upper, work]) await mkdir(path)
  await mkdir(join(lower, 'from-below'))
  return mount(
    directory,
    '-t',
    'overlay',
    'overlay',
    '-o',
    `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
  )
}

describeWithEngine('uploads to a real', mayMount, () => {
  test.each(FILE_SYSTEMS)('$what are published, new and over old files', async ({ what, make }) => {
    const directory = await newDirectory()
    if (!(await make(directory))) {
      process.stderr.write(`  ${what} cannot be mounted here: its test is left out.\n`)
      return
    }
    for (const overwrite of [false, true, true]) {
      const name = overwrite ? 'from-below/file.bin' : 'file.bin'
      expect(await upload({ directory, overwrite }, `/uploads/${name}`)).toMatchObject({ status: 200 })
      expect((await readFile(join(directory, name))).equals(FILE)).toBe(true)
    }
    expect((await upload({ directory }, '/uploads/file.bin')).status).not.toBe(200)
    expect(await stagedFiles(directory)).toEqual([])
    // A sweep may be looking at them.
    await until(async () => (await openFiles(directory)).length === 0)
  })
})

describeWithEngine('a directory of the same file system that is mounted inside the uploads', mayMount, () => {
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

  test.each([false, true])('gets files by a copy, with overwrite %s', async (overwrite) => {
    const { directory, tenant } = await withBindMount()
    if (overwrite) await writeFile(join(tenant, 'file.bin'), 'old')
    expect(await upload({ directory, overwrite }, '/uploads/tenant/file.bin')).toMatchObject({ status: 200 })
    expect((await readFile(join(tenant, 'file.bin'))).equals(FILE)).toBe(true)
    expect((await stat(join(tenant, 'file.bin'))).mode & 0o777).toBe(0o666 & ~process.umask())
    expect(await readdir(tenant)).toEqual(['file.bin'])
    expect(await stagedFiles(directory)).toEqual([])
  })

  test('is refused at Create-Session when it is read-only, and the log says what to do', async () => {
    const { directory } = await withBindMount('ro')
    const { status, log } = await upload({ directory }, '/uploads/tenant/file.bin')
    expect(status).toBe(403)
    expect(log).toMatch(/Nothing can be written to .*tenant.*EROFS.*mount it writable/)
    expect(await stagedFiles(directory)).toEqual([])
  })

  test('is found again once it is writable', async () => {
    const { directory } = await withBindMount('ro')
    const running = await start({ directory })
    const connection = await connect(running)
    expect((await connection.exchange(createSession('/uploads/tenant/file.bin'))).status).toBe(403)
    expect(run('mount', '-o', 'remount,bind,rw', join(directory, 'tenant'))).toBe(true)
    expect(await openSession(connection, '/uploads/tenant/file.bin')).toMatch(/^\{/)
  })
})

describeWithEngine('staged data on another file system', mayMount, () => {
  test('is refused by open(), with a remedy', async () => {
    const directory = await newDirectory()
    const staging = join(directory, 'BITS-Sessions')
    await mkdir(staging)
    mountOf(staging, () => mountTmpfs(staging, MiB))
    await expect(new FileStorage({ directory }).open()).rejects.toThrow(/another file system .* unmount it/)
  })
})

/** Windows has none of it. */
const whereModes = process.platform === 'win32' ? describe.skip : describe

whereModes('modes', () => {
  const modeOf = async (path: string) => (await stat(path)).mode & 0o7777

  test('of staged data are 0700 and 0600, also in a folder that had another', async () => {
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

  test('of files and directories are those asked for, whatever the umask', async () => {
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

describeWithEngine('a published file is as one created in its directory', mayMount, () => {
  test.each([
    { what: 'in a directory that exists', name: 'shared/file', overwrite: false },
    { what: 'over an old file', name: 'shared/file', overwrite: true },
    { what: 'in directories that are made', name: 'shared/new/deep/file', overwrite: false },
  ])('$what: its group and its ACL', async ({ name, overwrite }) => {
    const directory = await newDirectory()
    mountOf(directory, () => mountTmpfs(directory, 16 * MiB))
    const shared = join(directory, 'shared')
    await mkdir(shared)
    await chown(shared, 0, 12_345)
    await chmod(shared, 0o2775)
    if (!run('setfacl', '-d', '-m', 'u:23456:rwx,g:34567:r-x', shared)) {
      if (process.env.CI) throw new Error('CI needs the Debian package acl.')
      process.stderr.write('  setfacl is missing or does not work: ACLs are not tested.\n')
      return
    }
    expect(await upload({ directory, overwrite }, `/uploads/${name}`)).toMatchObject({ status: 200 })
    const published = join(directory, name)
    await writeFile(`${published}-compared`, '')
    expect((await stat(published)).gid).toBe(12_345)
    const acl = outputOf('getfacl', '-n', '-c', published)
    expect(acl).toContain('user:23456:rw')
    expect(acl).toBe(outputOf('getfacl', '-n', '-c', `${published}-compared`))
  })
})
