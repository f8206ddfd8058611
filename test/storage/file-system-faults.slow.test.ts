import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileStorage, MemorySessionStore } from 'express-bits-upload'
import { toBitsError } from '../../lib/protocol/to-bits-error.js'
import { nodeFileSystem, realpathWith } from '../../lib/util/fs.js'
import { RENAME_FAILURES, retryWhileBusy } from '../../lib/util/retry-while-busy.js'
import { bytes } from '../support/bytes.js'
import { openFiles, stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { interceptedFileSystem, systemError } from '../support/intercepted-fs.js'
import { closeSession, createSession, fragment, type RawConnection } from '../support/raw.js'
import { times } from '../support/soak.js'

const { directory: newDirectory, start, connect } = fixtures()

/** What each call can answer. Network file systems answer almost anything, so unusual codes are among them. */
const FAULTS: Readonly<Record<string, readonly string[]>> = {
  open: [
    'EACCES',
    'EINTR',
    'EIO',
    'EMFILE',
    'ENFILE',
    'ENOSPC',
    'EDQUOT',
    'EROFS',
    'EPERM',
    'ESTALE',
    'ETXTBSY',
  ],
  writev: ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EINTR', 'EAGAIN', 'ESTALE'],
  fsync: ['EIO', 'ENOSPC', 'EDQUOT', 'EINVAL', 'EROFS', 'ENOSYS', 'ENOTSUP', 'EPERM'],
  link: [
    'EACCES',
    'EDQUOT',
    'EIO',
    'EISDIR',
    'EMLINK',
    'ENOSPC',
    'EPERM',
    'EROFS',
    'EXDEV',
    'ENOTSUP',
    'ENOSYS',
    'UNKNOWN',
  ],
  rename: ['EACCES', 'EBUSY', 'EDQUOT', 'EIO', 'ENOSPC', 'EPERM', 'EROFS', 'EXDEV', 'EINVAL'],
  unlink: ['EACCES', 'EBUSY', 'EIO', 'EPERM', 'EROFS', 'ESTALE'],
  mkdir: ['EACCES', 'EDQUOT', 'EIO', 'EMLINK', 'ENOSPC', 'EPERM', 'EROFS'],
  realpath: ['EACCES', 'EIO', 'EISDIR', 'UNKNOWN', 'EMFILE', 'ESTALE'],
  stat: ['EACCES', 'EIO', 'ESTALE', 'EOVERFLOW'],
  lstat: ['EACCES', 'EIO', 'ESTALE', 'EOVERFLOW'],
  fstat: ['EIO', 'ESTALE', 'EOVERFLOW'],
  fchmod: ['EPERM', 'EIO', 'EROFS', 'ENOSYS'],
  readlink: ['EACCES', 'EIO', 'ENOENT'],
  opendir: ['EACCES', 'EIO', 'EMFILE', 'ENOENT'],
  copyFile: ['EIO', 'ENOSPC', 'EPERM'],
}

const FILE = bytes(3000)
const OLD = Buffer.from('the old file')
/** Acks after which the client does not try again: a refusal is a final, correct answer. */
const isFinal = (status: number): boolean => status === 400 || status === 403 || status === 404

const CASES = Object.entries(FAULTS).flatMap(([name, codes]) => codes.map((code) => ({ name, code })))
/** No call of one upload comes more often. */
const MOST_CALLS = 40

/** Fails one call, the one of its name that comes after `skip` others. */
class Fault {
  name = ''
  code = ''
  skip = 0
  hasStruck = false

  arm(name: string, code: string, skip: number): void {
    Object.assign(this, { name, code, skip, hasStruck: false })
  }

  strike(name: string): void {
    if (this.hasStruck || name !== this.name || this.skip-- > 0) return
    this.hasStruck = true
    throw systemError(this.code, name)
  }
}

interface Uploaded {
  /** Status of an Ack that ended the upload; `undefined` when the file was closed. */
  readonly refused: number | undefined
  readonly wentBack: boolean
}

/** A client that retries after every error that is not final, from the offset in the Ack. */
async function uploadThrough(connection: RawConnection, path: string): Promise<Uploaded> {
  let id: string | undefined
  let offset = 0
  let acknowledged = 0
  for (let tries = 0; tries < 20; tries++) {
    const packet =
      id === undefined
        ? createSession(path)
        : offset < FILE.length
          ? fragment(path, id, FILE, offset, Math.min(offset + 999, FILE.length - 1))
          : closeSession(path, id)
    const ack = await connection.exchange(packet)
    if (isFinal(ack.status)) return { refused: ack.status, wentBack: offset < acknowledged }
    const told = ack.header('BITS-Received-Content-Range')
    if (told !== undefined) offset = Number(told)
    if (ack.status !== 200) continue
    if (id !== undefined && told === undefined) return { refused: undefined, wentBack: offset < acknowledged }
    id ??= ack.header('BITS-Session-Id')
    acknowledged = Math.max(acknowledged, offset)
  }
  throw new Error(`The upload of ${path} did not come to an end.`)
}

const PLACES = [
  { where: 'with links', durability: 'publish', overwrite: false, links: true },
  { where: 'without links, over an old file', durability: 'fragment', overwrite: true, links: false },
  { where: 'with links, over an old file', durability: 'fragment', overwrite: true, links: true },
  { where: 'without links', durability: 'publish', overwrite: false, links: false },
] as const

describe.each(PLACES.slice(0, times(2, 4)))('a file system $where', ({ durability, overwrite, links }) => {
  test.each(CASES)('whose $name answers $code once loses nothing', async ({ name, code }) => {
    const directory = await newDirectory()
    const fault = new Fault()
    const calls = interceptedFileSystem((call) => {
      fault.strike(call.name)
      if (!links && call.name === 'link') throw systemError('EPERM', 'link')
    })
    const storage = new FileStorage({ directory, durability }, calls)
    const running = await start({ storage, sessionStore: new MemorySessionStore(), overwrite })
    const connection = await connect(running)
    await running.bits.sessions()
    for (let skip = 0; skip < MOST_CALLS; skip++) {
      const destination = `d${skip}/${overwrite ? 'old' : 'new'}.bin`
      if (overwrite) {
        await mkdir(join(directory, `d${skip}`))
        await writeFile(join(directory, destination), OLD)
      }
      fault.arm(name, code, skip)
      const { refused, wentBack } = await uploadThrough(connection, `/uploads/${destination}`)
      const context = { name, code, skip, refused }
      const found = await readFile(join(directory, destination)).catch(() => undefined)
      const expected = refused === undefined ? FILE : overwrite ? OLD : undefined
      expect({ ...context, isRight: found?.equals(expected ?? FILE) ?? expected === undefined }).toEqual({
        ...context,
        isRight: true,
      })
      // Only a failed sync takes back what was acknowledged.
      if (wentBack) expect({ ...context, name }).toEqual({ ...context, name: 'fsync' })
      if (!fault.hasStruck) break
    }
    expect(await openFiles(directory)).toEqual([])
  })
})

describe('a file system that cannot do something', () => {
  async function uploadTo(calls: ReturnType<typeof interceptedFileSystem>) {
    const directory = await newDirectory()
    const running = await start({ storage: new FileStorage({ directory }, calls) })
    const errors: string[] = []
    running.bits.on('error', (error) => errors.push(error.message))
    const result = await uploadThrough(await connect(running), '/uploads/directory/file')
    return { directory, result, errors, file: await readFile(join(directory, 'directory/file')) }
  }

  test.each(['EINVAL', 'ENOTSUP', 'ENOSYS', 'EPERM'])(
    'takes uploads, though it answers %s when a directory is synced',
    async (code) => {
      const fsync = async (file: number) => {
        if ((await nodeFileSystem.fstat(file)).isDirectory()) throw systemError(code, 'fsync')
        await nodeFileSystem.fsync(file)
      }
      const { file, errors } = await uploadTo({ fsync })
      expect(file.equals(FILE)).toBe(true)
      expect(errors).toEqual([])
    },
  )

  test('acknowledges a file whose staged name cannot be removed, and sweeps that later', async () => {
    let isBusy = true
    const unlink = async (path: string) => {
      if (isBusy && path.endsWith('.part')) throw systemError('EBUSY', 'unlink')
      await nodeFileSystem.unlink(path)
    }
    const { file, errors, directory, result } = await uploadTo({ unlink })
    expect(result.refused).toBeUndefined()
    expect(file.equals(FILE)).toBe(true)
    expect(errors).toEqual([expect.stringContaining('EBUSY')])
    expect(await stagedFiles(directory)).toHaveLength(1)
    isBusy = false
    const next = await start({ directory })
    await next.bits.sessions()
    while ((await stagedFiles(directory)).length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  test.each(['EISDIR', 'UNKNOWN', 'EINVAL'])(
    'answers %s to realpath: the portable one is asked',
    async (code) => {
      const native = () => Promise.reject(systemError(code, 'realpath'))
      expect(await realpathWith(native, async () => '/real')('/path')).toBe('/real')
    },
  )

  test.each(['ENOENT', 'ELOOP', 'EACCES'])('answers %s to realpath: that is the truth', async (code) => {
    const native = () => Promise.reject(systemError(code, 'realpath'))
    await expect(realpathWith(native, async () => '/real')('/path')).rejects.toMatchObject({ code })
  })

  test('that has a largest file size says so', () => {
    const error = toBitsError(systemError('EFBIG', 'write'))
    expect([error.status, error.hresult]).toEqual([500, 0x80200020])
  })
})

describe('a file that another program has open on Windows', () => {
  const busyFor = (count: number, code: string) => {
    let tries = 0
    const rename = async (from: string, to: string) => {
      if (tries++ < count) throw systemError(code, 'rename')
      return `${from} is ${to}`
    }
    return { rename: retryWhileBusy(rename, RENAME_FAILURES), tries: () => tries }
  }

  test.each(['EPERM', 'EBUSY', 'EACCES'])('is renamed once it is free again (%s)', async (code) => {
    const { rename, tries } = busyFor(3, code)
    expect(await rename('a', 'b')).toBe('a is b')
    expect(tries()).toBe(4)
  })

  test('is given up after about a second', async () => {
    const { rename } = busyFor(1000, 'EBUSY')
    const start = performance.now()
    await expect(rename('a', 'b')).rejects.toMatchObject({ code: 'EBUSY' })
    expect(performance.now() - start).toBeGreaterThan(900)
  })

  test('is not confused with other failures', async () => {
    const { rename, tries } = busyFor(1000, 'EXDEV')
    await expect(rename('a', 'b')).rejects.toMatchObject({ code: 'EXDEV' })
    expect(tries()).toBe(1)
  })
})
