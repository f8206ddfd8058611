import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { FileStorage } from 'express-bits-upload'
import { prepareDirectory } from '../../lib/cli/serve/directories/prepare-directory.js'
import { fixtures } from '../support/fixtures.js'

const { directory, afterwards } = fixtures()

const prepare = (path: string) => prepareDirectory(path, { storage: new FileStorage({ directory: path }) })

/** Root may write anywhere, so a test that runs as root switches to another user temporarily. */
function loseRoot(): void {
  if (process.getuid?.() !== 0) return
  process.seteuid?.(65_534)
  afterwards(() => process.seteuid?.(0))
}

test('the directory is created, and contains only the staging folder', async () => {
  const path = join(await directory(), 'a', 'b')
  await prepare(path)
  expect(await readdir(path)).toEqual(['BITS-Sessions'])
  expect((await readdir(join(path, 'BITS-Sessions'))).filter((name) => name.includes('write-test'))).toEqual(
    [],
  )
})

test('a file in place of the directory is named', async () => {
  const path = join(await directory(), 'file')
  await writeFile(path, '')
  await expect(prepare(path)).rejects.toMatchObject({
    exitCode: 1,
    message: `${path} is not a directory: name the directory for the uploads.`,
  })
  await expect(prepare(join(path, 'below'))).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('a part of this path is a file'),
  })
})

test('a file in place of the staging folder is named', async () => {
  const path = await directory()
  await writeFile(join(path, 'BITS-Sessions'), '')
  await expect(prepare(path)).rejects.toThrow(/BITS-Sessions is not a directory: move it away/)
})

test('a staging folder owned by another user is found at startup, not at the first upload', async () => {
  const path = await directory()
  const staging = join(path, 'BITS-Sessions')
  await mkdir(staging)
  if (process.getuid?.() === 0) await chown(path, 65_534, 65_534)
  await chmod(staging, 0o555)
  afterwards(() => chmod(staging, 0o755))
  loseRoot()
  await expect(prepare(path)).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(
      /^cannot keep uploads in .*BITS-Sessions: the user with id \d+ may not write/,
    ),
  })
})

test.each([
  ['win32', 'Grant it write access (icacls)'],
  ['linux', 'Make it the owner (chown)'],
] as const)('on %s, the advice fits the system', async (platform, advice) => {
  const path = await directory()
  const storage = new FileStorage({ directory: path })
  jest.spyOn(storage, 'open').mockRejectedValue(Object.assign(new Error('EPERM'), { code: 'EPERM' }))
  await expect(prepareDirectory(path, { storage }, platform)).rejects.toThrow(advice)
})
