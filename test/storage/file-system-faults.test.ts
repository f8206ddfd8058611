import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { toBitsError } from '../../lib/protocol/to-bits-error.js'
import { nodeFileSystem, realpathWith } from '../../lib/util/fs.js'
import { RENAME_FAILURES, retryWhileBusy } from '../../lib/util/retry-while-busy.js'
import { FAULTED_FILE, uploadThrough } from '../support/file-system-faults.js'
import { stagedFiles } from '../support/files.js'
import { fixtures } from '../support/fixtures.js'
import { type interceptedFileSystem, systemError } from '../support/intercepted-fs.js'

const { directory: newDirectory, start, connect } = fixtures()

// file-system-faults.slow.test.ts tests each call with each of its errors.

describe('a file system with limitations', () => {
  async function uploadTo(calls: ReturnType<typeof interceptedFileSystem>) {
    const directory = await newDirectory()
    const running = await start({ storage: new FileStorage({ directory }, calls) })
    const errors: string[] = []
    running.bits.on('error', (error) => errors.push(error.message))
    const result = await uploadThrough(await connect(running), '/uploads/directory/file')
    return { directory, result, errors, file: await readFile(join(directory, 'directory/file')) }
  }

  test.each(['EINVAL', 'ENOTSUP', 'ENOSYS', 'EPERM'])(
    'accepts uploads although syncing a directory fails with %s',
    async (code) => {
      const fsync = async (file: number) => {
        if ((await nodeFileSystem.fstat(file)).isDirectory()) throw systemError(code, 'fsync')
        await nodeFileSystem.fsync(file)
      }
      const { file, errors } = await uploadTo({ fsync })
      expect(file.equals(FAULTED_FILE)).toBe(true)
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
    expect(file.equals(FAULTED_FILE)).toBe(true)
    expect(errors).toEqual([expect.stringContaining('EBUSY')])
    expect(await stagedFiles(directory)).toHaveLength(1)
    isBusy = false
    const next = await start({ directory })
    await next.bits.sessions()
    while ((await stagedFiles(directory)).length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  test.each(['EISDIR', 'UNKNOWN', 'EINVAL'])(
    'fails realpath with %s: the portable one is used',
    async (code) => {
      const native = () => Promise.reject(systemError(code, 'realpath'))
      expect(await realpathWith(native, async () => '/real')('/path')).toBe('/real')
    },
  )

  test.each(['ENOENT', 'ELOOP', 'EACCES'])('fails realpath with %s: the error is reported', async (code) => {
    const native = () => Promise.reject(systemError(code, 'realpath'))
    await expect(realpathWith(native, async () => '/real')('/path')).rejects.toMatchObject({ code })
  })

  test('receives those bytes again that it failed to store, even if it reports this only on close', async () => {
    const paths = new Map<number, string>()
    let hasLost = false
    const open: typeof nodeFileSystem.open = async (path, flags, mode) => {
      const file = await nodeFileSystem.open(path, flags, mode)
      paths.set(file, String(path))
      return file
    }
    const close = async (file: number) => {
      const { size } = await nodeFileSystem.fstat(file)
      await nodeFileSystem.close(file)
      const path = paths.get(file) ?? ''
      if (hasLost || size === 0 || !path.endsWith('.part')) return
      hasLost = true
      await writeFile(path, Buffer.alloc(size))
      throw systemError('EIO', 'close')
    }
    const { file, errors, result } = await uploadTo({ open, close })
    expect([hasLost, result.refused]).toEqual([true, undefined])
    expect(file.equals(FAULTED_FILE)).toBe(true)
    expect(errors).toEqual([expect.stringContaining('EIO')])
  })

  test('that has a maximum file size reports it', () => {
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

  test.each(['EPERM', 'EBUSY', 'EACCES'])('is renamed once it is closed (%s)', async (code) => {
    const { rename, tries } = busyFor(3, code)
    expect(await rename('a', 'b')).toBe('a is b')
    expect(tries()).toBe(4)
  })

  test('is abandoned after about a second', async () => {
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
